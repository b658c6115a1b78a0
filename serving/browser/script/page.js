/* Views of pages and the attention to them: also of pages that a script shows without loading. */
const PING_SECONDS = Number(option("ping", "10")), IDLE_MS = 30_000;
const page = { id: null, facts: {}, openedAt: 0, engaged: 0, pinged: 0, depth: 0, cursor: 0 };
const RENDER_MS = 50; // a script sets title and content after the address
let activeAt = 0, referrer = document.referrer;

const addressNow = () => location.href.split("#")[0];
const itemOfPage = () => document.querySelector('meta[name="tessera:item"]')?.content ?? document.body.dataset.tesseraItem;

function openPage(facts = {}) {
  if (!agreedTo("analytics")) return;
  Object.assign(page, {
    id: randomId(), openedAt: performance.now(), engaged: 0, pinged: 0, depth: 0, cursor: 0,
    facts: { page_url: addressNow(), page_title: document.title, item_id: itemOfPage(), ...facts },
  });
  activeAt = performance.now();
  enqueue("page_view", { referrer });
  seeDepth();
}

function closePage() {
  if (!page.id) return;
  sendPing();
  abandonForms();
  if (page.cursor) enqueue("cursor", { value: Math.round(page.cursor) });
  const dwell = Math.round((performance.now() - page.openedAt) / 100) / 10;
  enqueue("page_exit", { value: dwell, properties: { scroll_depth: page.depth } });
  referrer = page.facts.page_url;
  page.id = null;
}

function sendPing() {
  const seconds = page.engaged - page.pinged;
  if (!seconds) return;
  page.pinged = page.engaged;
  enqueue("page_ping", { value: seconds, properties: { scroll_depth: page.depth } });
}

function seeDepth() {
  const height = Math.max(document.documentElement.scrollHeight, 1);
  page.depth = Math.max(page.depth, Math.min(100, Math.round((100 * (scrollY + innerHeight)) / height)));
}

function watchPage() {
  for (const type of ["mousemove", "keydown", "pointerdown", "scroll", "touchmove"]) {
    addEventListener(type, () => { activeAt = performance.now(); }, { passive: true, capture: true });
  }
  addEventListener("scroll", seeDepth, { passive: true });
  setInterval(() => {
    if (!page.id || document.hidden || performance.now() - activeAt > IDLE_MS) return;
    page.engaged += 1;
    if (page.engaged - page.pinged >= PING_SECONDS) sendPing();
  }, 1000);
  if (option("views") !== "manual") watchAddress();
  addEventListener("pagehide", () => { closePage(); flushLeaving(); });
  addEventListener("pageshow", (event) => { if (event.persisted) openPage(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden) { sendPing(); flushLeaving(); } });
}

/* A page that a script shows without loading has a new address. */
function watchAddress() {
  const move = () => setTimeout(() => { if (addressNow() !== page.facts.page_url) view(); }, RENDER_MS);
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = function (...values) {
      const answer = original.apply(this, values);
      move();
      return answer;
    };
  }
  addEventListener("popstate", move);
}

function view(facts) {
  closePage();
  openPage(facts);
}
