/* The tracker of the page: Snowplow's with its plugins where it is installed, and otherwise the service's own script. */
const SCRIPTS = ["tracker", "link-clicks", "button-clicks", "forms", "media"];
const EVENT = "iglu:io.tessera/event/jsonschema/1-0-0";
const ITEM = "iglu:io.tessera/item/jsonschema/1-0-0";
const CONSENT = "iglu:io.tessera/consent/jsonschema/1-0-0";
const POSITION = "iglu:com.snowplowanalytics.snowplow/geolocation_context/jsonschema/1-1-0";
const DEVICE = "iglu:io.tessera/device_context/jsonschema/1-0-0";

export const site = {
  tracking: null, // "snowplow", "tessera", or nothing
  pageItem: null,
  send(type, fields = {}, entities = []) {
    if (site.tracking === "tessera") sendByScript(type, fields, entities);
    if (site.tracking !== "snowplow") return;
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

/* With the fields of an event the script sends the item of its entities; searches it sees itself. */
function sendByScript(type, fields, entities) {
  if (type === "search") return;
  const given = Object.assign({}, fields, ...entities.map(({ data }) => data));
  const user_id = localStorage.getItem("user");
  if (type === "consent_withdrawn") tessera.setConsent(tessera.consent().filter((one) => !given.purposes.includes(one)));
  else tessera.track(type, { ...given, ...(user_id && { user_id }) });
  tessera.flush();
}

function load(name, options = {}) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = name;
    Object.assign(script.dataset, options);
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

/* List what is sent at the foot of the page. */
function listSent(type) {
  const list = document.querySelector("#sent ol"), line = document.createElement("li");
  line.textContent = type;
  list.prepend(line);
  document.querySelector("#sent output").textContent = list.children.length;
}

/* A tracker plugin that lists what is sent. */
function showSent() {
  const names = { pv: "page_view", pp: "page_ping", se: "structured" };
  return {
    afterTrack(payload) {
      const event = payload.ue_pr ? JSON.parse(payload.ue_pr).data : null;
      listSent(event?.data?.event_type ?? event?.schema.split("/")[1] ?? names[payload.e] ?? payload.e);
    },
  };
}

/* The script counts pages, clicks, hovering, forms and films itself. */
export async function startScript(config, purposes) {
  if (site.pageItem) {
    document.head.append(Object.assign(document.createElement("meta"), { name: "tessera:item", content: site.pageItem }));
  }
  document.addEventListener("tessera:event", ({ detail }) => listSent(detail.event_type));
  await load("/tessera.js", {
    ask: "off", fill: "off", purposes: "analytics personalization location", ping: config.page_ping_seconds,
  });
  tessera.setConsent(purposes);
  tessera.flush();
  site.tracking = "tessera";
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
  site.tracking = "snowplow";
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
  if (site.tracking === "tessera") return { anonymous_id: JSON.parse(localStorage.getItem("tessera.device")) };
  const cookie = document.cookie.split("; ").find((one) => one.startsWith("_sp_id."));
  const parts = cookie ? cookie.split("=")[1].split(".") : [];
  return { anonymous_id: parts[0], session_id: parts[5] };
}
