/* What the service answers: recommendations and decisions, also into the elements of the page that ask for them. */
const SEEN_MS = 1000;

const whoAsks = () => ({
  ...(agreedTo("personalization") && { anonymous_id: device(), ...identity }),
});
const placeOfPage = () => ({ timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, language: navigator.language });

function recommend({ slot, count = 10, exclude, filter, context } = {}) {
  const item = itemOfPage();
  return ask("/v1/recommendations", {
    ...whoAsks(), k: count, slot, filter, exclude: exclude ?? (item ? [item] : []), context: { ...placeOfPage(), ...context },
  });
}

function decide(slot, context) {
  return ask("/v1/decisions", { ...whoAsks(), slot, context: { ...placeOfPage(), ...context } });
}

let describe = async () => ({});

/* Fill {name} in texts and attributes; in addresses every value is encoded. */
function fill(template, values) {
  const copy = template.content.cloneNode(true);
  const write = (text, encode) => text.replace(/\{(\w+)\}/g, (_, name) => encode(String(values[name] ?? "")));
  for (const node of copy.querySelectorAll("*")) {
    for (const attribute of node.attributes) {
      if (/^(on|style$|srcdoc$)/.test(attribute.name)) continue; // they would run what an item is called
      const isAddress = ["href", "src", "srcset", "action"].includes(attribute.name);
      // A whole address comes from the site's own description of the item; scripts are no addresses.
      const isWhole = /^\{\w+\}$/.test(attribute.value);
      const value = write(attribute.value, isAddress && !isWhole ? encodeURIComponent : (text) => text);
      attribute.value = isAddress && /^\s*(javascript|data|vbscript):/i.test(value) ? "#" : value;
    }
  }
  const texts = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = write(texts.currentNode.data, (text) => text);
  return copy.firstElementChild;
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    clearTimeout(target.tesseraTimer);
    if (!isIntersecting) continue;
    target.tesseraTimer = setTimeout(() => {
      seen.unobserve(target);
      const { decision, content } = target.dataset;
      const slot = target.dataset.tesseraDecision;
      if (decision) enqueue("impression", { recommendation_id: decision, properties: { slot, content } });
      else enqueue("impression", itemOf(target));
    }, SEEN_MS);
  }
}, { threshold: 0.5 });

async function fillSlot(section) {
  const template = section.querySelector("template");
  const { tesseraSlot: slot, count } = section.dataset;
  const answer = await recommend({ slot, count: Number(count ?? 5) });
  const details = await describe(answer.items.map(({ item_id }) => item_id));
  for (const item of answer.items) {
    const card = fill(template, { ...item, ...details[item.item_id] });
    Object.assign(card.dataset, {
      tesseraItem: item.item_id, rank: item.rank, recommendation: answer.recommendation_id,
    });
    section.append(card);
    seen.observe(card);
  }
  return answer;
}

async function fillDecision(section) {
  const answer = await decide(section.dataset.tesseraDecision);
  const templates = [...section.querySelectorAll("template")];
  const chosen = templates.find(({ dataset }) => dataset.content === answer.content);
  if (chosen) section.replaceChildren(...templates, chosen.content.cloneNode(true));
  Object.assign(section.dataset, { decision: answer.decision_id, content: answer.content ?? "" });
  if (chosen) seen.observe(section);
  return answer;
}

/* What is in the page stays as it is where the service cannot answer. */
function fillPage() {
  const fillAll = (selector, filler) => [...document.querySelectorAll(selector)].map(async (section) => {
    try {
      await filler(section);
      section.dataset.filled = "yes";
    } catch (error) {
      section.dataset.filled = "no";
      console.warn("Tessera:", error.message);
    }
  });
  return Promise.all([...fillAll("[data-tessera-slot]", fillSlot), ...fillAll("[data-tessera-decision]", fillDecision)]);
}
