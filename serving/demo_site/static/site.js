/* The demo site: consent first, then the tracker, then what the page shows. */
"use strict";
const PURPOSES = ["analytics", "personalization", "location"];
const SCRIPTS = ["tracker", "link-clicks", "button-clicks", "forms", "media"];
const EVENT = "iglu:io.tessera/event/jsonschema/1-0-0";
const ITEM = "iglu:io.tessera/item/jsonschema/1-0-0";
const CONSENT = "iglu:io.tessera/consent/jsonschema/1-0-0";
const POSITION = "iglu:com.snowplowanalytics.snowplow/geolocation_context/jsonschema/1-1-0";
const DEVICE = "iglu:io.tessera/device_context/jsonschema/1-0-0";

const site = {
  tracking: false,
  pageItem: null,
  send(type, fields = {}, entities = []) {
    if (!site.tracking) return;
    snowplowBrowserTracking.trackSelfDescribingEvent({
      event: { schema: EVENT, data: { event_type: type, ...fields } },
      context: entities,
    });
  },
};
window.site = site;

const entityOf = (dataset) => ({
  schema: ITEM,
  data: {
    item_id: dataset.itemId,
    recommendation_id: dataset.recommendationId || null,
    rank: dataset.rank ? Number(dataset.rank) : null,
    slot: dataset.slot || null,
  },
});

async function json(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

function askConsent() {
  const stored = localStorage.getItem("consent");
  if (stored) return Promise.resolve({ purposes: JSON.parse(stored), isNew: false });
  const box = document.createElement("form");
  box.id = "consent";
  box.innerHTML = `<p>May this site remember what you do here?</p>${PURPOSES.map((purpose) =>
    `<label><input type="checkbox" name="${purpose}"> ${purpose}</label>`).join(" ")} <button>Save my choice</button>`;
  document.body.append(box);
  return new Promise((resolve) => {
    box.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const purposes = PURPOSES.filter((purpose) => box.elements[purpose].checked);
      localStorage.setItem("consent", JSON.stringify(purposes));
      box.remove();
      resolve({ purposes, isNew: true });
    });
  });
}

function load(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = name;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${name} could not be loaded`));
    document.head.append(script);
  });
}

function position() {
  return new Promise((resolve) => {
    if (!navigator.geolocation) resolve(null);
    else navigator.geolocation.getCurrentPosition((found) => resolve(found.coords), () => resolve(null), { timeout: 3000 });
  });
}

async function startTracking(config, purposes) {
  for (const name of SCRIPTS) await load(`/demo/vendor/${name}.js`);
  await load("/demo/static/micro-interactions.js");
  const sp = snowplowBrowserTracking;
  sp.newTracker("demo", location.origin, {
    appId: "demo",
    bufferSize: 1,
    keepalive: true,
    contexts: { webPage: true, browser: true, session: true },
    plugins: [
      snowplowLinkClickTracking.LinkClickTrackingPlugin(),
      snowplowButtonClickTracking.ButtonClickTrackingPlugin(),
      snowplowFormTracking.FormTrackingPlugin(),
      snowplowMedia.SnowplowMediaPlugin(),
      tesseraMicroInteractions(),
    ],
  });
  const entities = [{ schema: CONSENT, data: { purposes } }];
  if (purposes.includes("location")) {
    const found = await position();
    if (found) entities.push({ schema: POSITION, data: { latitude: found.latitude, longitude: found.longitude } });
  }
  if (purposes.includes("personalization")) {
    const upright = matchMedia("(orientation: portrait)").matches;
    entities.push({ schema: DEVICE, data: { orientation: upright ? "portrait" : "landscape" } });
  }
  sp.addGlobalContexts(entities);
  const user = localStorage.getItem("user");
  if (user) sp.setUserId(user);
  const seconds = config.page_ping_seconds;
  sp.enableActivityTracking({ minimumVisitLength: seconds, heartbeatDelay: seconds });
  site.tracking = true;
}

function startPageTracking() {
  const page = site.pageItem ? [entityOf({ itemId: site.pageItem })] : [];
  snowplowBrowserTracking.trackPageView({ context: page });
  snowplowLinkClickTracking.enableLinkClickTracking({
    context: [(element) => (element.dataset.itemId ? entityOf(element.dataset) : null)],
  });
  snowplowButtonClickTracking.enableButtonClickTracking();
  snowplowFormTracking.enableFormTracking({ options: { events: ["focus_form", "submit_form"] } });
}

function ids() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("_sp_id."));
  const parts = cookie ? cookie.split("=")[1].split(".") : [];
  return { anonymous_id: parts[0], session_id: parts[5] };
}

async function recommended(slot, count) {
  const user = localStorage.getItem("user");
  const known = site.tracking ? ids() : {};
  if (!known.anonymous_id && !user) return null;
  try {
    return await json("/v1/recommendations", { ...known, ...(user && { user_id: user }), k: count, slot });
  } catch (error) {
    console.info("no recommendations, the newest items are shown instead:", error.message);
    return null;
  }
}

async function fillSlot(section, items) {
  const byId = new Map(items.map((item) => [item.item_id, item]));
  const answer = await recommended(section.dataset.slot, Number(section.dataset.count));
  const ranked = answer
    ? answer.items.map((entry) => ({ ...byId.get(entry.item_id), ...entry }))
    : items.slice(0, Number(section.dataset.count)).map((item, index) => ({ ...item, rank: index + 1 }));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      site.send("impression", {}, [entityOf(entry.target.dataset)]);
    }
  }, { threshold: 0.5 });
  for (const item of ranked) {
    const card = document.createElement("a");
    card.className = "card";
    card.href = `/demo/items/${encodeURIComponent(item.item_id)}`;
    Object.assign(card.dataset, {
      itemId: item.item_id, slot: section.dataset.slot, rank: item.rank ?? "",
      recommendationId: answer?.recommendation_id ?? "",
    });
    const title = document.createElement("strong");
    title.textContent = item.title ?? item.item_id;
    const reason = document.createElement("small");
    reason.textContent = [item.category, item.reason].filter(Boolean).join(" · ");
    card.append(title, document.createElement("br"), reason);
    section.append(card);
    seen.observe(card);
  }
}

function wireReactions() {
  for (const button of document.querySelectorAll("[data-event]")) {
    button.addEventListener("click", () => {
      const { event, value, purposes } = button.dataset;
      const fields = { item_id: site.pageItem, ...(value && { value: Number(value) }) };
      if (purposes) fields.purposes = purposes.split(",");
      if (event === "purchase") fields.currency = "EUR";
      if (event === "exposure") Object.assign(fields, { experiment_id: "demo", variant: "b" });
      site.send(event, fields);
    });
  }
  document.querySelector("#search")?.addEventListener("submit", (event) => {
    event.preventDefault();
    site.send("search", { query: event.target.elements.query.value });
  });
  document.querySelector("#login")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const user = event.target.elements.user.value.trim();
    if (!user) return;
    localStorage.setItem("user", user);
    if (site.tracking) snowplowBrowserTracking.setUserId(user);
    site.send("identify");
  });
  document.querySelector("#signup")?.addEventListener("submit", (event) => {
    event.preventDefault();
    site.send("signup", { plan: event.target.elements.plan.value });
  });
}

function wireFilm() {
  const film = document.querySelector("#film");
  if (!film || !site.tracking) return;
  const media = snowplowMedia;
  const player = () => ({
    currentTime: film.currentTime, duration: film.duration || null, paused: film.paused, ended: film.ended,
  });
  media.startMediaTracking({
    id: "film", player: { ...player(), label: "The film" }, boundaries: [25, 50, 75], pings: false,
  });
  film.addEventListener("play", () => media.trackMediaPlay({ id: "film", player: player() }));
  film.addEventListener("timeupdate", () => media.updateMediaTracking({ id: "film", player: player() }));
  film.addEventListener("ended", () => media.trackMediaEnd({ id: "film", player: player() }));
}

function tell(message) {
  const notice = document.createElement("p");
  notice.id = "notice";
  notice.textContent = message;
  document.querySelector("header").after(notice);
}

async function start() {
  const match = location.pathname.match(/^\/demo\/items\/([^/]+)$/);
  site.pageItem = match ? decodeURIComponent(match[1]) : null;
  const [config, items] = await Promise.all([json("/demo/config.json"), json("/demo/items.json")]);
  if (site.pageItem) {
    const item = items.find((one) => one.item_id === site.pageItem) ?? await json(`/demo/items/${match[1]}.json`);
    document.title = item.title ?? item.item_id;
    document.querySelector("#title").textContent = document.title;
    document.querySelector("#text").textContent = item.text ?? "";
    document.querySelector("#price").textContent = item.price ? `${item.price} ${item.currency ?? ""}` : "";
  }
  const { purposes, isNew } = await askConsent();
  if (!purposes.includes("analytics")) tell("You did not agree to analytics: nothing is tracked.");
  else if (config.missing) tell(`Nothing is tracked: ${config.missing}.`);
  else {
    await startTracking(config, purposes);
    startPageTracking();
    if (isNew) site.send("consent_granted", { purposes, consent: purposes });
  }
  wireReactions();
  wireFilm();
  await Promise.all([...document.querySelectorAll("[data-slot]:not(a)")].map((slot) => fillSlot(slot, items)));
  document.body.dataset.ready = "yes";
}

start().catch((error) => tell(`The page failed: ${error.message}`));
