/* The Snowplow tracker of the page: its plugins, what travels with each event, and what the page itself sends. */
const SCRIPTS = ["tracker", "link-clicks", "button-clicks", "forms", "media"];
const EVENT = "iglu:io.tessera/event/jsonschema/1-0-0";
const ITEM = "iglu:io.tessera/item/jsonschema/1-0-0";
const CONSENT = "iglu:io.tessera/consent/jsonschema/1-0-0";
const POSITION = "iglu:com.snowplowanalytics.snowplow/geolocation_context/jsonschema/1-1-0";
const DEVICE = "iglu:io.tessera/device_context/jsonschema/1-0-0";

export const site = {
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

export const entityOf = (dataset) => ({
  schema: ITEM,
  data: {
    item_id: dataset.itemId,
    recommendation_id: dataset.recommendationId || null,
    rank: dataset.rank ? Number(dataset.rank) : null,
    slot: dataset.slot || null,
  },
});

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

/* Posture, charge and motion as they are when an event is sent; the collector keeps a word of each. */
function watchDevice() {
  const device = {};
  const upright = matchMedia("(orientation: portrait)");
  navigator.getBattery?.().then((battery) => {
    const read = () => { device.battery_level = battery.level; };
    read();
    battery.addEventListener("levelchange", read);
  });
  addEventListener("devicemotion", ({ acceleration }) => {
    if (acceleration?.x != null) device.acceleration = Math.hypot(acceleration.x, acceleration.y, acceleration.z);
  });
  return () => ({
    schema: DEVICE, data: { ...device, orientation: upright.matches ? "portrait" : "landscape" },
  });
}

/* A tracker plugin that lists what is sent at the foot of the page. */
function showSent() {
  const list = document.querySelector("#sent ol"), count = document.querySelector("#sent output");
  const names = { pv: "page_view", pp: "page_ping", se: "structured" };
  return {
    afterTrack(payload) {
      const event = payload.ue_pr ? JSON.parse(payload.ue_pr).data : null;
      const line = document.createElement("li");
      line.textContent = event?.data?.event_type ?? event?.schema.split("/")[1] ?? names[payload.e] ?? payload.e;
      list.prepend(line);
      count.textContent = list.children.length;
    },
  };
}

export async function startTracking(config, purposes) {
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
      showSent(),
    ],
  });
  const entities = [{ schema: CONSENT, data: { purposes } }];
  if (purposes.includes("location")) {
    const found = await position();
    if (found) entities.push({ schema: POSITION, data: { latitude: found.latitude, longitude: found.longitude } });
  }
  if (purposes.includes("personalization")) entities.push(watchDevice());
  sp.addGlobalContexts(entities);
  const user = localStorage.getItem("user");
  if (user) sp.setUserId(user);
  const seconds = config.page_ping_seconds;
  sp.enableActivityTracking({ minimumVisitLength: seconds, heartbeatDelay: seconds });
  site.tracking = true;
}

export function startPageTracking() {
  const page = site.pageItem ? [entityOf({ itemId: site.pageItem })] : [];
  snowplowBrowserTracking.trackPageView({ context: page });
  snowplowLinkClickTracking.enableLinkClickTracking({
    context: [(element) => (element.dataset.itemId ? entityOf(element.dataset) : null)],
  });
  snowplowButtonClickTracking.enableButtonClickTracking();
  snowplowFormTracking.enableFormTracking({ options: { events: ["focus_form", "submit_form"] } });
}

export function ids() {
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("_sp_id."));
  const parts = cookie ? cookie.split("=")[1].split(".") : [];
  return { anonymous_id: parts[0], session_id: parts[5] };
}
