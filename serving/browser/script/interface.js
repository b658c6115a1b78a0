/* What the page may call, and the start. */
window.tessera = Object.freeze({
  track: (type, fields) => enqueue(type, fields),
  view,
  identify,
  consent: purposes,
  setConsent,
  askConsent,
  setPreferences,
  openPreferences,
  recommend,
  decide,
  describeItems: (describer) => { describe = describer; },
  fillPage,
  setTexts: (changed) => Object.assign(texts, changed),
  flush,
});

function begin() {
  watchPage();
  watchClicks();
  watchPointer();
  watchForms();
  watchFilms();
  openPage();
  document.addEventListener("click", (event) => {
    const wish = event.target.closest?.("[data-tessera-open]")?.dataset.tesseraOpen;
    if (wish === "preferences") openPreferences();
    if (wish === "consent") askConsent();
  });
  document.dispatchEvent(new CustomEvent("tessera:ready"));
  if (option("fill") !== "off") fillPage();
  if (option("ask") !== "off" && kept(CHOICE) === null && !isDenied) askConsent();
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
