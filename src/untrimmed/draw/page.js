// The page around the panels: filters, totals, keys, and which panels are near enough to be drawn.
const AHEAD = "600px";  // how far outside the window a panel is made ready
const page = Object.fromEntries(["floor", "floor-value", "floor-reason", "floor-control", "totals", "wanted", "all",
  "none", "class-list", "extent", "nothing", "videos"].map(id => [id, document.getElementById(id)]));
const panels = data.panels.map((source, index) => new Panel(source, index));
const panelOf = new Map(panels.map(panel => [panel.element, panel]));
let active = null;

function redraw() {
  view.version += 1;
  page["floor-value"].textContent = view.floor.toFixed(2);
  for (const panel of panels) if (panel.near) panel.draw();
  const counts = panels.flatMap(panel => panel.others.map(row => count(panel, row)));
  const sum = key => counts.reduce((total, each) => total + each[key], 0);
  const share = (part, all) => all ? `${(100 * part / all).toFixed(0)}%` : "none";
  page.totals.textContent = panels.some(panel => panel.truth)
    ? `${sum("shown")} shown\nprecision ${share(sum("matched"), sum("shown"))}, recall ${share(sum("found"), sum("truth"))}`
    : `${sum("shown")} shown`;
}

let planned = 0;
function plan() {
  cancelAnimationFrame(planned);
  planned = requestAnimationFrame(redraw);
}

function listClasses() {
  const counts = new Map();
  for (const panel of panels) for (const { label } of panel.actions) counts.set(label, (counts.get(label) ?? 0) + 1);
  const boxes = data.classes.map(({ label, colour }) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => { view.hidden[box.checked ? "delete" : "add"](label); plan(); });
    page["class-list"].append(make("li", {}, make("label", {}, box,
      make("span", { className: "swatch", style: { "--colour": colour } }), make("span", { textContent: label }),
      make("span", { className: "count", textContent: counts.get(label) ?? 0 }))));
    return box;
  });
  const setAll = checked => {
    for (const box of boxes) box.checked = checked;
    view.hidden = new Set(checked ? [] : data.classes.map(each => each.label));
    plan();
  };
  page.all.addEventListener("click", () => setAll(true));
  page.none.addEventListener("click", () => setAll(false));
}

function prepareFloor() {
  const scores = panels.flatMap(panel => panel.others.flatMap(row => row.actions.map(action => action.score)));
  const { floor, reason } = firstFloor(panels);
  page["floor-control"].hidden = !scores.length;
  page.floor.max = Math.ceil(100 * scores.reduce((a, b) => Math.max(a, b), 1)) / 100;
  page.floor.value = floor;
  page["floor-reason"].textContent = reason;
  view.floor = floor;
  page.floor.addEventListener("input", () => { view.floor = Number(page.floor.value); plan(); });
}

function find() {
  const wanted = page.wanted.value.trim().toLowerCase();
  for (const panel of panels) panel.element.hidden = !panel.name.toLowerCase().includes(wanted);
  page.nothing.hidden = panels.some(panel => !panel.element.hidden);
}

// The panel that keys speak to: where the focus is, else the one used last, while it can be seen.
function panelFor(target) {
  if (target.closest("input, select, textarea, a, summary, .controls")) return null;
  return panelOf.get(target.closest(".panel")) ?? (active?.near ? active : null);
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const panel = panelFor(event.target);
  const arrow = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!panel?.plot || !(arrow || (event.key === " " && panel.player))) return;
  // On keyup too: Firefox clicks a button when the space bar comes up.
  event.preventDefault();
  if (event.type === "keyup") return;
  if (arrow) panel.step(arrow); else if (!event.repeat) panel.player.toggle();
}

function start() {
  const seconds = panels.reduce((sum, panel) => sum + panel.duration, 0);
  const total = (rows, word) => rows.length ? [`${rows.reduce((sum, row) => sum + row.actions.length, 0).toLocaleString("en")} ${word}`] : [];
  page.extent.textContent = [`${panels.length} ${panels.length === 1 ? "video" : "videos"}, ${clock(seconds)}`,
    `${data.classes.length} ${data.classes.length === 1 ? "class" : "classes"}`,
    ...total(panels.flatMap(panel => panel.truth ?? []), "true actions"),
    ...total(panels.flatMap(panel => panel.others), "detections")].join(" · ");
  listClasses();
  prepareFloor();
  page.videos.append(...panels.map(panel => panel.element));
  const watch = new IntersectionObserver(changes => {
    for (const { target, isIntersecting } of changes) panelOf.get(target)[isIntersecting ? "come" : "leave"]();
  }, { rootMargin: AHEAD });
  for (const panel of panels) watch.observe(panel.element);
  page.wanted.addEventListener("input", find);
  for (const event of ["focusin", "pointerdown"])
    document.addEventListener(event, ({ target }) => { active = panelOf.get(target.closest(".panel")) ?? active; });
  for (const event of ["keydown", "keyup"]) document.addEventListener(event, onKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plan);
  addEventListener("beforeprint", () => panels.forEach(panel => panel.come()));
  redraw();
}

start();
