/* The demo site: consent first, then the tracker, then what the page shows. */
import { entityOf, ids, site, startPageTracking, startScript, startTracking } from "./tracking.js";

const PURPOSES = {
  analytics: "count what I do here",
  personalization: "use it to choose what I see, together with the device's orientation and battery level",
  location: "use my position, rounded to about ten kilometres",
};
const hueOf = (text) => [...(text ?? "")].reduce((hue, letter) => (hue * 31 + letter.codePointAt(0)) % 360, 7);

async function json(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

const granted = () => JSON.parse(localStorage.getItem("consent") ?? "[]");
const keepConsent = (purposes) => localStorage.setItem("consent", JSON.stringify(purposes));

function askConsent() {
  if (localStorage.getItem("consent")) return Promise.resolve({ purposes: granted(), isNew: false });
  const box = document.createElement("form");
  box.id = "consent";
  box.innerHTML = `<p>May this site remember what you do here?</p>${Object.entries(PURPOSES).map(([purpose, meaning]) =>
    `<label><input type="checkbox" name="${purpose}"> <b>${purpose}</b>: ${meaning}</label>`).join("")}
    <button class="primary">Save my choice</button>`;
  document.body.append(box);
  return new Promise((resolve) => {
    box.addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const purposes = Object.keys(PURPOSES).filter((purpose) => box.elements[purpose].checked);
      keepConsent(purposes);
      box.remove();
      resolve({ purposes, isNew: true });
    });
  });
}

async function recommended(slot, count) {
  if (slot === "newest") return null;
  const user = localStorage.getItem("user");
  const known = site.tracking ? ids() : {};
  if (!known.anonymous_id && !user) return null;
  try {
    return await json("/v1/recommendations", {
      ...known, ...(user && { user_id: user }), k: count, slot, exclude: site.pageItem ? [site.pageItem] : [],
    });
  } catch (error) {
    console.info("no recommendations, the newest items are shown instead:", error.message);
    return null;
  }
}

const priceOf = (item) => (item.price ? `${item.price.toFixed(2)} ${item.currency ?? ""}`.trim() : "");

async function fillSlot(section, items) {
  section.dataset.tesseraSlot = section.dataset.slot;
  const answer = await recommended(section.dataset.slot, Number(section.dataset.count));
  const byId = new Map(items.map((item) => [item.item_id, item]));
  const others = (answer?.items ?? []).map((entry) => entry.item_id).filter((id) => !byId.has(id));
  if (others.length) {
    const query = new URLSearchParams(others.map((id) => ["id", id]));
    for (const item of await json(`/demo/items.json?${query}`)) byId.set(item.item_id, item);
  }
  const ranked = answer
    ? answer.items.map((entry) => ({ ...byId.get(entry.item_id), ...entry }))
    : items.filter((item) => item.item_id !== site.pageItem).slice(0, Number(section.dataset.count))
      .map((item, index) => ({ ...item, rank: index + 1 }));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      site.send("impression", {}, [entityOf(entry.target.dataset)]);
    }
  }, { threshold: 0.5 });
  const cards = ranked.map((item) => {
    const card = document.createElement("a");
    card.className = "card";
    card.href = `/demo/items/${encodeURIComponent(item.item_id)}`;
    Object.assign(card.dataset, {
      itemId: item.item_id, slot: section.dataset.slot, rank: item.rank ?? "",
      recommendationId: answer?.recommendation_id ?? "",
      // the names that the service's own script reads
      tesseraItem: item.item_id, recommendation: answer?.recommendation_id ?? "",
    });
    const cover = document.createElement("div");
    cover.className = "cover";
    cover.style.setProperty("--hue", hueOf(item.category));
    const title = document.createElement("strong");
    title.textContent = item.title ?? item.item_id;
    const reason = document.createElement("small");
    reason.textContent = [item.category, priceOf(item), item.reason].filter(Boolean).join(" · ");
    card.append(cover, title, reason);
    seen.observe(card);
    return card;
  });
  section.replaceChildren(...cards);
}

const fillSlots = (items) =>
  Promise.all([...document.querySelectorAll("[data-slot]:not(a)")].map((slot) => fillSlot(slot, items)));

function wireReactions(item) {
  for (const button of document.querySelectorAll("[data-event]")) {
    button.addEventListener("click", () => {
      const { event, value, purposes } = button.dataset;
      const fields = { item_id: site.pageItem, ...(value && { value: Number(value) }) };
      if (purposes) fields.purposes = purposes.split(",");
      if (event === "purchase") Object.assign(fields, { value: item.price, currency: item.currency });
      if (event === "exposure") Object.assign(fields, { experiment_id: "demo", variant: "b" });
      site.send(event, fields);
      if (event === "consent_withdrawn") keepConsent(granted().filter((purpose) => !fields.purposes.includes(purpose)));
      button.classList.add("done");
    });
  }
  document.querySelector("#privacy").addEventListener("click", () => { // nothing holds until the new choice
    site.send("consent_withdrawn", { purposes: granted() });
    localStorage.removeItem("consent");
    location.reload();
  });
  document.querySelector("#search")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = event.target.elements.query.value.trim();
    site.send("search", { query });
    showFound(query.toLowerCase());
  });
  document.querySelector("#login")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const user = event.target.elements.user.value.trim();
    if (!user) return;
    localStorage.setItem("user", user);
    if (site.tracking === "snowplow") snowplowBrowserTracking.setUserId(user);
    site.send("identify");
  });
  document.querySelector("#signup")?.addEventListener("submit", (event) => {
    event.preventDefault();
    site.send("signup", { plan: event.target.elements.plan.value });
  });
}

async function firstQuestion(items) {
  try {
    const { questions } = await json("/v1/onboarding");
    if (questions.length) return questions[0];
  } catch (error) {
    console.info("no onboarding, the survey asks about the categories of the page:", error.message);
  }
  return {
    question: "Which of these categories would you like to see more of?",
    choices: [...new Set(items.map((item) => item.category).filter(Boolean))],
    used_for: "Your answer is kept with your events. Nothing is ranked by it as long as the service recommends nothing.",
  };
}

/* The survey asks what tells most about a newcomer, and says what the answer is used for. */
async function wireSurvey(items) {
  const survey = document.querySelector("#survey");
  if (!survey) return;
  const question = await firstQuestion(items);
  const fields = survey.querySelector("fieldset");
  fields.querySelector("legend").textContent = question.question;
  survey.querySelector("small").textContent = question.used_for;
  for (const choice of question.choices) {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", name: "interests", value: choice });
    label.append(box, ` ${choice}`);
    fields.append(label);
  }
  survey.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...survey.querySelectorAll("input:checked")].map((box) => box.value);
    site.send("preference", { interests: chosen });
  });
}

/* Leaves the cards that hold the words, on this page. */
function showFound(words) {
  for (const card of document.querySelectorAll(".card")) card.hidden = !card.textContent.toLowerCase().includes(words);
}

function wireFilm() {
  const film = document.querySelector("#film");
  if (!film || site.tracking !== "snowplow") return;
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

function showItem(item) {
  document.title = item.title ?? item.item_id;
  document.querySelector("#title").textContent = document.title;
  document.querySelector("#category").textContent = item.category ?? "";
  document.querySelector("#text").textContent = item.text ?? "";
  document.querySelector("#price").textContent = priceOf(item);
  document.querySelector("#shop").hidden = !item.price;
  document.querySelector("#cover").style.setProperty("--hue", hueOf(item.category));
}

async function start() {
  const match = location.pathname.match(/^\/demo\/items\/([^/]+)$/);
  site.pageItem = match ? decodeURIComponent(match[1]) : null;
  const [config, items] = await Promise.all([json("/demo/config.json"), json("/demo/items.json")]);
  const item = site.pageItem
    ? items.find((one) => one.item_id === site.pageItem) ?? (await json(`/demo/items.json?id=${match[1]}`))[0]
    : null;
  if (site.pageItem && !item) throw new Error(`there is no item ${site.pageItem} in the catalogue`);
  if (item) showItem(item);
  if (!localStorage.getItem("consent")) await fillSlots(items); // the same for everybody, until somebody agrees
  const { purposes, isNew } = await askConsent();
  if (!purposes.includes("analytics")) tell("You did not agree to analytics: nothing is tracked.");
  else if (config.missing) {
    await startScript(config, purposes);
    document.querySelector("#script").textContent = config.missing;
  } else {
    await startTracking(config, purposes);
    startPageTracking();
    if (isNew) site.send("consent_granted", { purposes, consent: purposes });
  }
  wireReactions(item);
  wireFilm();
  await wireSurvey(items);
  await fillSlots(items);
  document.body.dataset.ready = "yes";
}

start().catch((error) => tell(`The page failed: ${error.message}`));
