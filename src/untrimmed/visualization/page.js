// The page around the panels: filters, totals, the list of videos, and which panels are near enough to be drawn.
const AHEAD = "600px";  // how far outside the window a panel is made ready
const AT_ONCE = 3;  // panels that stand in the first picture already, before the browser has told what it shows
const page = Object.fromEntries(["filters", "floor", "floor-value", "floor-reason", "floor-control", "tiou", "tiou-value", "tiou-control",
  "curves", "curves-control", "totals", "wanted", "order", "all", "none", "class-list", "extent", "progress", "nothing", "videos", "video-list",
  "keys", "keys-list", "keys-button", "keys-close", "told"].map(id => [id, document.getElementById(id)]));
const panels = data.panels.map((source, index) => new (data.review ? Editor : Panel)(source, index));
const panelOf = new Map(panels.map(panel => [panel.element, panel]));
const share = (part, all) => all ? `${(100 * part / all).toFixed(0)}%` : "none";
let active = null, boxes = [];

function redraw() {
  view.version += 1;
  page["floor-value"].textContent = view.floor.toFixed(2);
  for (const panel of panels) if (panel.near) panel.draw();
  const names = [...new Set(panels.flatMap(panel => panel.others.map(row => row.name)))];
  const sums = new Map(names.map(name => [name, { shown: 0, matched: 0, found: 0, truth: 0 }]));
  for (const panel of panels) {
    panel.missed = panel.wrong = 0;
    for (const row of panel.others) {
      const counts = count(panel, row), sum = sums.get(row.name);
      for (const key of Object.keys(sum)) sum[key] += counts[key];
      panel.missed += counts.truth - counts.found;
      panel.wrong += panel.truth ? counts.shown - counts.matched : 0;
    }
    panel.label();
  }
  const judged = panels.some(panel => panel.truth?.actions.length) && !data.review;
  page.totals.textContent = names.map(name => {
    const { shown, matched, found, truth } = sums.get(name), head = names.length > 1 ? `${name}: ` : "";
    return `${head}${shown.toLocaleString("en")} shown` + (judged ? `\nprecision ${share(matched, shown)}, recall ${share(found, truth)}` : "");
  }).join("\n");
}

let planned = 0;
function plan() {
  cancelAnimationFrame(planned);
  planned = requestAnimationFrame(redraw);
}

function listClasses() {
  const counts = new Map();
  for (const panel of panels) for (const { label } of panel.actions) counts.set(label, (counts.get(label) ?? 0) + 1);
  boxes = data.classes.map(({ label, colour }) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => { view.hidden[box.checked ? "delete" : "add"](label); plan(); });
    page["class-list"].append(make("li", {}, make("label", {}, box,
      make("span", { className: "swatch", style: { "--colour": colour } }), make("span", { textContent: label }),
      make("span", { className: "count", textContent: counts.get(label) ?? 0 }))));
    return box;
  });
  page.all.addEventListener("click", () => showClasses(() => true));
  page.none.addEventListener("click", () => showClasses(() => false));
}

function showClasses(isWanted) {
  view.hidden = new Set(data.classes.map(each => each.label).filter((_, i) => !isWanted(i)));
  boxes.forEach((box, i) => { box.checked = isWanted(i); });
  plan();
}

// One class alone, the next with each call; after the last one all of them again.
function nextClass(direction) {
  const alone = view.hidden.size === boxes.length - 1 ? boxes.findIndex(box => box.checked) : -1;
  const next = alone < 0 ? (direction > 0 ? 0 : boxes.length - 1) : alone + direction;
  const isOne = next >= 0 && next < boxes.length;
  showClasses(i => !isOne || i === next);
  tell(isOne ? `Only ${data.classes[next].label}` : "All classes");
}

function setFloor(floor) {
  view.floor = Math.min(Number(page.floor.max), Math.max(0, Math.round(100 * floor) / 100));
  page.floor.value = view.floor;
  plan();
}

function setOverlap(tiou) {
  view.tiou = tiou > 0.96 ? 0.05 : Math.round(100 * tiou) / 100;
  page.tiou.value = view.tiou;
  page["tiou-value"].textContent = view.tiou.toFixed(2);
  panels.forEach(rematch);
  plan();
}

function prepareFilters() {
  const most = panels.reduce((a, panel) => panel.others.flatMap(row => row.actions).reduce((b, each) => Math.max(b, each.score), a), 0);
  const any = panels.some(panel => panel.others.some(row => row.actions.length));
  const { floor, reason } = firstFloor(panels);
  view.most = most > 0 ? most : 1;
  page["floor-control"].hidden = page["curves-control"].hidden = !any;
  page["tiou-control"].hidden = !any || !panels.some(panel => panel.truth);
  page.floor.max = Math.ceil(100 * Math.max(most, 1)) / 100;
  page.floor.value = view.floor = floor;
  page["floor-reason"].textContent = reason;
  page["tiou-value"].textContent = view.tiou.toFixed(2);
  page.floor.addEventListener("input", () => { view.floor = Number(page.floor.value); plan(); });
  page.tiou.addEventListener("input", () => setOverlap(Number(page.tiou.value)));
  page.curves.addEventListener("change", () => { view.curves = page.curves.checked; plan(); });
}

function find() {
  const wanted = page.wanted.value.trim().toLowerCase();
  for (const panel of panels) panel.element.hidden = panel.entry.hidden = !panel.name.toLowerCase().includes(wanted);
  page.nothing.hidden = panels.some(panel => !panel.element.hidden);
}

const ORDERS = {
  worth: ["most worth a look", (a, b) => a.index - b.index],
  name: ["name", (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0],
  missed: ["most missed", (a, b) => b.missed - a.missed || a.index - b.index],
  wrong: ["most false", (a, b) => b.wrong - a.wrong || a.index - b.index],
};

function arrange(key) {
  const sorted = [...panels].sort(ORDERS[key][1]);
  for (const button of page.order.children) button.setAttribute("aria-pressed", button.value === key);
  page.videos.append(...sorted.map(panel => panel.element));
  page["video-list"].replaceChildren(...sorted.map(panel => panel.entry));
}

function listVideos() {
  for (const panel of panels) {
    panel.badge = make("span", { className: "count" });
    const button = make("button", { type: "button" }, make("span", { textContent: panel.name }), panel.badge);
    button.addEventListener("click", () => goTo(panel));
    panel.entry = make("li", {}, button);
  }
  const judged = panels.some(panel => panel.truth) && panels.some(panel => panel.others.length);
  const offered = data.review ? ["worth", "name"] : judged ? ["name", "missed", "wrong"] : ["name"];
  page.order.append(...offered.map(key => make("button", { type: "button", value: key, textContent: ORDERS[key][0] })));
  page.order.hidden = offered.length < 2;
  page.order.addEventListener("click", ({ target }) => target.value && arrange(target.value));
  page.wanted.addEventListener("input", find);
  arrange(offered[0]);
}

// A panel that was never drawn is lower than it will be, and so are those on the way.
function goTo(panel) {
  if (!panel) return;
  active = panel;
  panel.element.scrollIntoView({ block: "start", behavior: "instant" });
  panel.come();
  requestAnimationFrame(() => panel.element.scrollIntoView({ block: "start", behavior: "instant" }));
  panel.heading.focus({ preventScroll: true });
}

let silence = 0;
function tell(words, isUrgent = false) {
  clearTimeout(silence);
  page.told.textContent = words;
  page.told.classList.toggle("urgent", isUrgent);
  page.told.hidden = false;
  silence = setTimeout(() => { page.told.hidden = true; }, isUrgent ? 12000 : 3500);
}
