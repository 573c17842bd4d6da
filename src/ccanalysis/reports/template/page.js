(() => {
  const doc = document, root = doc.documentElement, COLOURS = {};
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  for (const area of doc.querySelectorAll(".tbl")) {
    const fit = () => {
      if (area.scrollWidth > area.clientWidth + 1 || area.scrollHeight > area.clientHeight + 1) area.tabIndex = 0;
      else area.removeAttribute("tabindex");
    };
    fit();
    new ResizeObserver(fit).observe(area);
  }
  const figures = [...doc.querySelectorAll("figure.chart")];
  if (!figures.length) return;

  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const byChannels = Object.fromEntries(Object.entries(COLOURS).map(([hex, name]) => [channels(hex).join(), name]));
  const paint = (value) => {
    if (typeof value === "string") {
      const text = value.toLowerCase();
      if (Object.hasOwn(COLOURS, text)) return style("--c-" + COLOURS[text]);
      const parts = /^rgba?\((\d+), ?(\d+), ?(\d+)(?:, ?([\d.]+))?\)$/.exec(text);
      const name = parts && byChannels[[+parts[1], +parts[2], +parts[3]].join()];
      return name ? `rgba(${channels(style("--c-" + name)).join()},${parts[4] ?? 1})` : value;
    }
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(paint);
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, paint(part)]));
    return value;
  };
  const axis = {
    automargin: true, fixedrange: true, gridcolor: "--c-line", linecolor: "--c-line", zerolinecolor: "--c-line",
    tickcolor: "--c-line", ticks: "", zeroline: false,
  };
  const themed = (part) =>
    Object.fromEntries(Object.entries(part).map(([key, value]) => [key, /^--/.test(value) ? style(value) : value]));
  const layoutOf = (layout, keys) => {
    const own = paint(layout), narrow = innerWidth < 640;
    const rows = narrow ? 18 * Math.max(0, keys - 2) : 0;  // a narrow key has a line for each entry
    const made = {
      height: narrow ? 300 : 340, hovermode: "closest", dragmode: false, bargap: 0.3,
      colorway: [1, 2, 3, 4, 5, 6].map((at) => style("--c-series_" + at)), ...own,
      margin: { l: 8, r: 12, t: 12, b: 8, ...own.margin }, autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { size: narrow ? 12 : 13, ...own.font, color: style("--c-ink"), family: style("--font") },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", ...own.legend, bgcolor: "rgba(0,0,0,0)" },
      hoverlabel: { bgcolor: style("--bg"), bordercolor: style("--c-muted"), font: { color: style("--c-ink") } },
    };
    for (const key of new Set(["xaxis", "yaxis", ...Object.keys(own).filter((name) => /^[xy]axis\d*$/.test(name))]))
      made[key] = {
        ...themed(axis), ...(key[0] === "x" ? { showgrid: false } : {}), ...own[key], fixedrange: true,
        title: { ...own[key]?.title, font: { size: narrow ? 12 : 13 } },
        ...(narrow && key[0] === "x" && own[key]?.nticks ? { nticks: 4 } : {}),
      };
    made.height += rows;
    return made;
  };
  const unpack = (value, lists) => {
    if (!value || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map((part) => unpack(part, lists));
    if ("$" in value) return lists[value.$];
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpack(part, lists)]));
  };
  const spread = (list) =>
    Array.isArray(list) ? list : list.runs.flatMap(([value, times]) => new Array(times).fill(value));
  const OPTIONS = {
    responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false, doubleClick: false,
    showTips: false, plotlyServerURL: "",
  };
  const bare = ({ domain, anchor, matches, title, ...axis }) => axis;
  const panel = ({ data, layout }, end) => ({
    data: data.filter((trace) => (trace.xaxis ?? "x") === "x" + end)
      .map((trace) => ({ ...trace, xaxis: "x", yaxis: "y", showlegend: false })),
    layout: {
      xaxis: bare(layout["xaxis" + end] ?? {}), yaxis: bare(layout["yaxis" + end] ?? {}), height: PANEL_HEIGHT,
      shapes: (layout.shapes ?? []).filter((shape) => shape.xref === "x" + end)
        .map((shape) => ({ ...shape, xref: "x", yref: shape.yref.replace(/\d+/, "") })),
    },
  });
  const draw = (figure) => {
    const packed = JSON.parse(figure.querySelector("script").textContent);
    const whole = unpack({ data: packed.data, layout: packed.layout }, packed.lists.map(spread));
    const places = [...figure.querySelectorAll(".live")], small = figure.querySelector(".panels");
    figure.classList.add("drawn");
    return places.reduce((before, place, at) => before.then(() => {
      const { data, layout } = small ? panel(whole, at ? at + 1 : "") : whole;
      const keys = data.filter((trace) => trace.name && trace.showlegend !== false).length;
      return Plotly.react(place, paint(data), layoutOf(layout, keys), OPTIONS);
    }), Promise.resolve()).catch(() => figure.classList.remove("drawn"));
  };
  const folded = (figure) => figure.closest("details:not([open])");
  const drawAll = (which) => figures.filter(which).reduce((before, figure) => before.then(() => draw(figure)), Promise.resolve());
  const start = () => {
    if (!window.Plotly) return;
    drawAll((figure) => !folded(figure)).then(() => root.classList.add("charts-drawn"));
    for (const fold of doc.querySelectorAll("details.more"))
      fold.addEventListener("toggle", () =>
        drawAll((figure) => fold.open && fold.contains(figure) && !figure.classList.contains("drawn")));
    dark.addEventListener("change", () => drawAll((figure) => figure.classList.contains("drawn")));
  };
  const packed = doc.getElementById("plotly-gz");
  if (!packed) return start();
  if (!("DecompressionStream" in window)) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (character) => character.charCodeAt(0));
  new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text().then((source) => {
    const script = doc.createElement("script");
    script.textContent = source;
    doc.head.append(script);
    packed.remove();
    start();
  });
})();
