/* Small actions: clicks, hovering over items, the way of the cursor, forms, searches and films. What is typed stays. */
const HOVER_MS = 200, DEAD_MS = 500, QUARTERS = [25, 50, 75, 100];
const CLICKABLE = "[data-tessera], a, button, input, select, textarea, label, summary, video, audio, [role=button]";
const nameOf = (node) => node.dataset.tessera || node.id || node.getAttribute("name") || node.tagName.toLowerCase();

function itemOf(node) {
  const shown = node.closest("[data-tessera-item]");
  if (!shown) return {};
  const { tesseraItem, rank, recommendation } = shown.dataset;
  const slot = shown.closest("[data-tessera-slot]")?.dataset.tesseraSlot;
  return {
    item_id: tesseraItem, ...(recommendation && { recommendation_id: recommendation }),
    properties: { ...(slot && { slot }), ...(rank && { rank: Number(rank) }) },
  };
}

function watchClicks() {
  document.addEventListener("click", ({ target }) => {
    if (!(target instanceof Element)) return;
    const hit = target.closest(CLICKABLE) ?? target;
    const item = itemOf(target);
    enqueue("click", { ...item, properties: { ...item.properties, element: nameOf(hit) } });
    if (hit.matches(CLICKABLE)) return;
    let hasChanged = false;
    const observer = new MutationObserver(() => { hasChanged = true; });
    observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    const before = location.href;
    setTimeout(() => {
      observer.disconnect();
      if (!hasChanged && location.href === before) {
        enqueue("custom:dead_click", { properties: { element: nameOf(hit) } });
      }
    }, DEAD_MS);
  }, { capture: true });
}

function watchPointer() {
  let over = null, since = 0, last = null;
  const leave = () => {
    const time = Math.round(performance.now() - since);
    if (over && time >= HOVER_MS) enqueue("hover", { ...itemOf(over), value: time });
    over = null;
  };
  document.addEventListener("mouseover", ({ target }) => {
    const item = target.closest?.("[data-tessera-item]") ?? null;
    if (item === over) return;
    leave();
    over = item;
    since = performance.now();
  });
  addEventListener("pagehide", leave, { capture: true });
  document.addEventListener("mousemove", ({ clientX: x, clientY: y }) => {
    if (last) page.cursor += Math.hypot(x - last.x, y - last.y);
    last = { x, y };
  }, { passive: true });
}

const begun = new Set();

function abandonForms() {
  for (const form of begun) enqueue("form_abandon", { properties: { form_id: nameOf(form) } });
  begun.clear();
}

function watchForms() {
  document.addEventListener("input", ({ target }) => {
    const form = target.form;
    if (!form || begun.has(form) || isSearch(form)) return;
    begun.add(form);
    enqueue("form_start", { properties: { form_id: nameOf(form) } });
  });
  document.addEventListener("submit", ({ target: form }) => {
    begun.delete(form);
    if (!isSearch(form)) enqueue("form_submit", { properties: { form_id: nameOf(form) } });
    else enqueue("search", { properties: { query: form.querySelector("input[type=search], input[type=text]")?.value } });
  }, { capture: true });
}

const isSearch = (form) => form.matches("[role=search], [data-tessera-search]");

function watchFilms() {
  const reached = new WeakMap();
  const report = (type, film, value) => {
    const item = itemOf(film);
    enqueue(type, { ...item, value, properties: { ...item.properties, element: nameOf(film) } });
  };
  document.addEventListener("play", ({ target }) => report("video_play", target), { capture: true });
  document.addEventListener("timeupdate", ({ target: film }) => {
    const part = (100 * film.currentTime) / film.duration;
    for (const quarter of QUARTERS.filter((one) => one <= part + 0.5 && one > (reached.get(film) ?? 0))) {
      reached.set(film, quarter);
      report("video_progress", film, quarter);
    }
  }, { capture: true });
}
