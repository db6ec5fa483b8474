// The tab "Queue" of Locust's page: polls the state of the test and draws it with uPlot.
"use strict";
(() => {
  const TAB = "Queue";
  const EVERY_MS = 1000;
  const LATENCY_COLUMNS = ["Interval", "Sub-queue", "Tasks", "p50", "p90", "p99", "p99.9", "Max"];
  // Of Okabe and Ito, who chose them for readers with any colour vision; the last on dark grounds.
  const COLOURS = {
    light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#6a3d9a", "#444444", "#8c564b"],
    dark: ["#56b4e9", "#ff9a5c", "#4fd1a5", "#e6a8cb", "#f0e442", "#0a8fd6", "#b79be0", "#cccccc", "#c49c94"],
  };

  // Steps between the marks of an axis that counts.
  const WHOLE = [...Array(9).keys()].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const panel = element("section", { id: "queue-tab", hidden: true, ariaLabel: TAB });
  const alert = element("div", { id: "queue-alert", hidden: true });
  alert.setAttribute("role", "alert");
  const head = element("div");
  const charts = element("div", { className: "charts" });
  const tables = element("div");
  panel.append(head, charts, tables);

  let drawn = [];
  let theme = "";

  const isDark = () => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return red + green + blue < 384;
  };

  const isChosen = () =>
    document.querySelector('[role="tab"][aria-selected="true"]')?.textContent.trim() === TAB;

  const place = () => {
    const chosen = isChosen();
    panel.hidden = !chosen;
    const main = document.querySelector('[role="tablist"]')?.closest(".MuiContainer-root") ?? document.body;
    if (panel.parentNode !== main) main.append(panel);
    if (alert.parentNode !== document.body) document.body.prepend(alert);
    const now = isDark() ? "dark" : "light";
    if (now !== theme) {
      theme = panel.dataset.theme = alert.dataset.theme = now;
      clear();
    }
    return chosen;
  };

  const clear = () => {
    drawn.forEach((each) => each.plot.destroy());
    drawn = [];
    charts.replaceChildren();
  };

  const cells = (row, firstFigure, kind = "td") =>
    row.map((text, at) => element(kind, { className: at >= firstFigure ? "figure" : "" }, text));

  const table = (columns, rows, firstFigure) =>
    element("div", { className: "scroll" },
      element("table", {},
        element("thead", {}, element("tr", {}, ...cells(columns, firstFigure, "th"))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row, firstFigure))))));

  const showHead = (state) => {
    const parts = [
      element("p", { className: "verdict" }, "Verdict: ",
        element("span", { className: `badge ${state.tone}` }, state.verdict),
        element("span", { className: "phase" }, state.phase)),
    ];
    if (state.note) parts.push(element("p", { className: "warning" }, state.note));
    if (state.record) {
      parts.push(element("p", { className: "record" }, "Record: ", element("code", {}, state.record), " – ",
        element("a", { href: "./queue-tab/record.json", download: "" }, "download the record"), ", ",
        element("a", { href: "./queue-tab/report.html", download: "" }, "download the report as a page")));
    }
    parts.push(...state.warnings.map((each) =>
      element("p", { className: "warning" }, element("strong", {}, each.code), `: ${each.message}`)));
    if (state.figures.length) {
      parts.push(element("dl", { className: "figures" }, ...state.figures.map(([name, value]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, value)))));
    }
    if (state.objectives.length) {
      parts.push(element("h3", {}, "Objectives"), ...state.objectives.map((each) =>
        element("p", { className: "objective" }, element("code", {}, each.expression), ": ",
          element("strong", { className: each.tone }, each.state),
          element("span", { className: "soft" }, each.value === "–" ? "" : ` (${each.value})`))));
    }
    head.replaceChildren(...parts);
  };

  const showTables = (state) => {
    const parts = state.intervals.length
      ? [element("h3", {}, "Latencies since the start of the test"), table(LATENCY_COLUMNS, state.intervals, 2)]
      : [];
    tables.replaceChildren(...parts);
  };

  const options = (chart, width) => {
    const style = getComputedStyle(panel);
    const ink = style.getPropertyValue("--soft");
    const line = style.getPropertyValue("--line");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const number = (value) => (value == null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 3 }));
    return {
      width,
      height: 220,
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((each) => `${each} s`) },
        { ...axis, size: 64, incrs: chart.unit === "ms" ? undefined : WHOLE, values: (_, ticks) => ticks.map((each) => each.toLocaleString("en")) },
      ],
      series: [
        { label: "at", value: (_, value) => (value == null ? "–" : `${value} s`) },
        ...chart.curves.map((curve, at) => ({
          label: curve.name,
          stroke: COLOURS[theme][at % COLOURS[theme].length],
          width: 2,
          points: { show: chart.times_s.length < 2 },
          value: (_, value) => number(value),
        })),
      ],
    };
  };

  const showCharts = (state) => {
    const names = JSON.stringify(state.charts.map((each) => [each.title, each.curves.map((curve) => curve.name)]));
    const isFew = state.charts.some((each) => each.times_s.length < 2);
    if (charts.dataset.names !== names || charts.dataset.few !== String(isFew)) clear();
    charts.dataset.names = names;
    charts.dataset.few = String(isFew);
    state.charts.forEach((chart, at) => {
      const data = [chart.times_s, ...chart.curves.map((curve) => curve.values)];
      if (drawn[at]) {
        drawn[at].plot.setData(data);
        return;
      }
      const box = element("div", { className: "chart" }, element("h3", {}, chart.title, element("span", { className: "soft" }, ` (${chart.unit})`)));
      charts.append(box);
      drawn[at] = { box, plot: new uPlot(options(chart, box.clientWidth), data, box) };
    });
  };

  const fit = () => drawn.forEach(({ box, plot }) => {
    if (box.clientWidth && box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: 220 });
  });

  let state = null;
  const show = () => {
    const chosen = place();
    if (!state) return;
    alert.hidden = !state.error;
    alert.replaceChildren(element("strong", {}, "The test has failed: "), state.error ?? "");
    if (chosen) {
      showHead(state);
      showCharts(state);
      showTables(state);
      fit();
    }
  };

  const poll = async () => {
    try {
      const answer = await fetch("./queue-tab/live", { cache: "no-store" });
      if (answer.ok) state = await answer.json();
      show();
    } catch (error) {
      // Locust has ended: what was shown last stays.
      if (!(error instanceof TypeError)) throw error;
    } finally {
      setTimeout(poll, EVERY_MS);
    }
  };

  window.addEventListener("resize", fit);
  document.addEventListener("click", () => setTimeout(show, 0));
  poll();
})();
