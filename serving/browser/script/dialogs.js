/* Two dialogs: what may be kept, and what the visitor would like to see. Their style and the page's do not meet. */
const TEXTS = {
  en: {
    title: "May we remember what you do here?", analytics: "Count what I do here",
    personalization: "Use it to choose what I see", location: "Use my position, rounded to ten kilometres",
    all: "Agree", none: "Decline", some: "Save my choice", close: "Close",
    denied: "Your browser asks sites not to track you. Nothing is kept.",
    wishes: "What would you like to see?", interests: "Show me more of", muted: "Show me none of",
    kept: "What may be kept", forget: "Forget this browser", save: "Save",
  },
  de: {
    title: "Dürfen wir uns merken, was Sie hier tun?", analytics: "Zählen, was ich hier tue",
    personalization: "Danach auswählen, was ich sehe", location: "Meinen Ort verwenden, auf zehn Kilometer gerundet",
    all: "Zustimmen", none: "Ablehnen", some: "Auswahl speichern", close: "Schließen",
    denied: "Ihr Browser bittet darum, nicht verfolgt zu werden. Es wird nichts gespeichert.",
    wishes: "Was möchten Sie sehen?", interests: "Mehr davon", muted: "Nichts davon",
    kept: "Was gespeichert werden darf", forget: "Diesen Browser vergessen", save: "Speichern",
  },
};
const STYLE = `
  dialog { border: 1px solid #8886; border-radius: 12px; padding: 20px 24px; max-width: min(30rem, calc(100vw - 32px));
    font: 16px/1.5 system-ui, sans-serif; color: CanvasText; background: Canvas; color-scheme: light dark; box-shadow: 0 8px 32px #0004; }
  dialog.asking { position: fixed; inset: auto 16px 16px auto; margin: 0; z-index: 2147483647; }
  dialog::backdrop { background: #0006; }
  h2 { margin: 0 0 8px; font-size: 1.15em; }
  fieldset { border: 0; margin: 8px 0; padding: 0; max-height: 40vh; overflow: auto; }
  legend { font-weight: 600; padding: 0; }
  label { display: block; padding: 4px 0; }
  input { inline-size: 1.1em; block-size: 1.1em; margin-inline-end: 8px; vertical-align: -2px; accent-color: #1f5fd0; }
  p { margin: 8px 0; }
  footer { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 12px; }
  button { font: inherit; min-height: 40px; padding: 6px 14px; border-radius: 8px; border: 1px solid currentColor;
    background: transparent; color: inherit; cursor: pointer; }
  button:focus-visible, input:focus-visible { outline: 3px solid #1f5fd0; outline-offset: 2px; }
`;
const texts = {};

function text(name) {
  const language = (option("language") || document.documentElement.lang || navigator.language).slice(0, 2).toLowerCase();
  return texts[name] ?? (TEXTS[language] ?? TEXTS.en)[name] ?? name;
}

function make(tag, { of = [], ...properties } = {}) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...of);
  return node;
}

function boxes(name, legend, choices, checked, label = (choice) => choice) {
  return make("fieldset", {
    of: [make("legend", { textContent: legend }), ...choices.map((choice) => make("label", {
      of: [make("input", { type: "checkbox", name, value: choice, checked: checked.includes(choice) }), label(choice)],
    }))],
  });
}

/* Shows a dialog, and resolves to the button and the boxes that were chosen. */
function show(title, content, buttons, isModal) {
  const host = make("div", { id: "tessera-dialog" });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const heading = make("h2", { id: "title", textContent: title });
  const form = make("form", {
    method: "dialog",
    of: [heading, ...content, make("footer", {
      of: buttons.map((name) => make("button", { type: "submit", value: name, textContent: text(name) })),
    })],
  });
  const dialog = make("dialog", { of: [form], className: isModal ? "" : "asking" });
  dialog.setAttribute("aria-labelledby", "title");
  root.append(dialog);
  document.body.append(host);
  if (isModal) dialog.showModal();
  else dialog.show();
  const putOff = (event) => { if (event.key === "Escape") dialog.close(""); };
  document.addEventListener("keydown", putOff); // the browser itself closes modal ones only
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      document.removeEventListener("keydown", putOff);
      const chosen = {};
      for (const box of root.querySelectorAll("input:checked")) (chosen[box.name] ??= []).push(box.value);
      host.remove();
      resolve({ button: dialog.returnValue, chosen });
    });
  });
}

const isShown = () => document.getElementById("tessera-dialog") !== null;

async function askConsent() {
  if (isShown()) return purposes();
  if (isDenied) {
    await show(text("title"), [make("p", { textContent: text("denied") })], ["close"], true);
    return [];
  }
  const choices = boxes("purpose", "", offered, purposes(), text);
  const { button, chosen } = await show(text("title"), [choices], ["none", "some", "all"], false);
  if (!button) return purposes(); // put off: nothing was agreed to
  return setConsent({ all: offered, none: [], some: chosen.purpose ?? [] }[button]);
}

async function openPreferences() {
  if (isShown()) return;
  // What a browser says of itself is no word of a person: wishes need somebody who is signed in.
  const { questions } = identity ? await ask("/v1/onboarding").catch(() => ({ questions: [] })) : { questions: [] };
  const topics = questions[0]?.choices ?? [];
  const before = kept(PREFERENCES) ?? {};
  const content = [
    ...(topics.length ? [boxes("interests", text("interests"), topics, before.interests ?? [])] : []),
    ...(topics.length ? [boxes("muted", text("muted"), topics, before.muted ?? [])] : []),
    isDenied
      ? make("p", { textContent: text("denied") }) : boxes("purpose", text("kept"), offered, purposes(), text),
  ];
  const { button, chosen } = await show(text("wishes"), content, ["forget", "close", "save"], true);
  if (button === "forget") setConsent([]);
  if (button !== "save") return;
  setConsent(chosen.purpose ?? []);
  if (topics.length) setPreferences({ interests: chosen.interests ?? [], muted: chosen.muted ?? [] });
}

function setPreferences(preferences) {
  if (!identity || !agreedTo("personalization")) return false;
  keep(PREFERENCES, { ...kept(PREFERENCES), ...preferences });
  const isSent = enqueue("preference", { properties: preferences });
  flush();
  return isSent;
}
