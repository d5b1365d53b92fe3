// The Gaussian kernels of one layer, under the rows of a panel and on their axis: curves, and under them their boxes.
const CURVE = 64, TALLEST_BOX = 9, LOWEST_BOX = 2.5, BOXES = 80, FAINTEST = 0.22;
const KNOTS = [-3, -2, -1, 0, 1, 2, 3].map(at => ({ at, value: Math.exp(-(at ** 2) / 2), slope: -at * Math.exp(-(at ** 2) / 2) }));
// Asked of the browser: a report has no address of anything in it.
const NAMESPACE = make("div", { innerHTML: "<svg></svg>" }).firstChild.namespaceURI;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A Gaussian of three sigmas to both sides, in cubic pieces of one sigma with its own slopes at their ends.
function bell(x, base, sigma, height) {
  const point = (at, value) => `${(x + sigma * at).toFixed(2)} ${(base - height * value).toFixed(2)}`;
  return KNOTS.slice(1).reduce((path, right, i) => {
    const left = KNOTS[i];
    return `${path}C${point(left.at + 1 / 3, left.value + left.slope / 3)} `
      + `${point(right.at - 1 / 3, right.value - right.slope / 3)} ${point(right.at, right.value)}`;
  }, `M${point(KNOTS[0].at, KNOTS[0].value)}`);
}

class KernelView {
  constructor(panel) {
    this.name = panel.name;
    this.layers = panel.kernels;
    this.layer = this.layers.find(each => each.number === panel.layer);
    this.select = make("select", { aria: { label: `Layer of the kernels of ${panel.name}` } },
      ...this.layers.map(({ number, title }) => make("option", { value: number, textContent: title, selected: number === panel.layer })));
    this.select.addEventListener("change", () => {
      this.layer = this.layers.find(each => each.number === Number(this.select.value));
      this.draw(this.width, this.extent);
    });
    this.rows = make("div");
    this.words = make("p", { className: "quiet" });
    this.element = make("div", { className: "kernels" },
      make("div", { className: "kernels-head" }, this.select, this.words), this.rows);
  }

  draw(width, extent) {
    Object.assign(this, { width, extent });
    this.words.textContent = this.layer.words;
    this.rows.replaceChildren(...this.layer.rows.map(row => this.row(row)));
  }

  row({ name, kernels }) {
    const scale = this.width / this.extent, { learned } = this.layer;
    const surest = this.layer.rows.flatMap(row => row.kernels).reduce((a, kernel) => Math.max(a, kernel[3]), 0);
    const ranked = kernels.map(([centre, sigma, members, score]) => ({ centre, sigma, members, score })).sort((a, b) => b.score - a.score);
    const chosen = lanes(ranked.map(({ centre, sigma }) => ({ start: centre - sigma, end: centre + sigma })));
    const many = chosen.reduce((a, b) => Math.max(a, b), 0) + 1;
    const lane = Math.max(LOWEST_BOX, Math.min(TALLEST_BOX, BOXES / many));
    const base = learned ? CURVE : 3, height = base + lane * many + 5;
    // Many lines close together are thin, or they would be one dark band.
    const thin = Math.max(0.5, Math.min(1.3, this.width / Math.max(1, ranked.length) / 7));
    const marks = ranked.map((kernel, i) => {
      const x = kernel.centre * scale, half = Math.max(kernel.sigma * scale, 0.5);
      const opacity = FAINTEST + (1 - FAINTEST) * (surest > 0 ? kernel.score / surest : 1);
      const box = { x: x - half, y: base + 1 + chosen[i] * lane, width: 2 * half, height: lane - 1, rx: Math.min(2, lane / 3), fill: "currentColor" };
      const line = { fill: "currentColor", "fill-opacity": 0.08, stroke: "currentColor", "stroke-width": thin.toFixed(2) };
      const curve = learned ? [draw("path", { d: bell(x, base - 2, kernel.sigma * scale, CURVE - 12), ...line })] : [];
      return draw("g", { class: kernel.members > 1 ? "kernel merged" : "kernel", opacity: opacity.toFixed(2) },
        draw("title", {}, this.describe(kernel)), ...curve, draw("rect", box));
    });
    const picture = draw("svg", { width: this.width, height, role: "img", "aria-label": `${name} of ${this.layer.title}` }, ...marks.reverse());
    const track = make("div", { className: "track" }, picture);
    return make("div", { className: "row" }, make("div", { className: "row-name", textContent: name }), track);
  }

  describe({ centre, sigma, members, score }) {
    const kind = members > 1 ? `merged of ${members}` : "kernel";
    return `${kind}: centre ${centre.toFixed(1)} s, sigma ${sigma.toFixed(1)} s, `
      + `box ${(centre - sigma).toFixed(1)}-${(centre + sigma).toFixed(1)} s, best score ${score.toFixed(2)}`;
  }
}
