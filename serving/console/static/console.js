"use strict";

// Draws each element with `data-chart`, a description that the server wrote, and draws it again when the page is
// swapped, resized, or changes between light and dark. Every chart has its numbers as a table below it.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const palette = ["#2f6fde", "#d9822b", "#2a9d77", "#a05fc4", "#c8495b", "#5d7f99", "#8a8f2c", "#3aa6b9"];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function frame() {
    const text = colour("--soft");
    return {
      animation: false,
      textStyle: { fontFamily: "system-ui, sans-serif", color: text },
      // Text of tooltips is drawn as SVG: names from events never become HTML.
      tooltip: {
        renderMode: "richText",
        confine: true,
        backgroundColor: colour("--paper"),
        borderColor: colour("--line"),
        textStyle: { color: colour("--ink"), fontSize: 12 },
        valueFormatter: (value) => (value === null || value === undefined ? "–" : numbers.format(value)),
      },
      aria: { enabled: true },
    };
  }

  function axes(chart, width) {
    const line = { lineStyle: { color: colour("--line") } };
    const label = { color: colour("--soft"), hideOverlap: true };
    const names = { type: "category", data: chart.x, axisLine: line, axisTick: { show: false }, axisLabel: label };
    const values = { type: "value", splitLine: line, axisLabel: { ...label, formatter: (value) => numbers.format(value) }, minInterval: chart.whole ? 1 : 0 };
    const [only, ...others] = chart.series;
    if (chart.sideways && !others.length) Object.assign(values, { name: only.name, nameLocation: "middle", nameGap: 24, nameTextStyle: { color: colour("--soft") } });
    return chart.sideways
      ? { xAxis: values, yAxis: { ...names, inverse: true, axisLabel: { ...label, width: Math.min(260, 0.34 * width), overflow: "truncate" } } }
      : { xAxis: names, yAxis: values };
  }

  const kinds = {
    line: (chart, width) => ({
      ...axes(chart, width),
      grid: { left: 8, right: 12, top: 34, bottom: 4, containLabel: true },
      legend: { type: "scroll", top: 0, left: 0, textStyle: { color: colour("--soft") }, icon: "roundRect", itemHeight: 4 },
      tooltip: { ...frame().tooltip, trigger: "axis" },
      series: chart.series.map((one, place) => ({
        type: "line",
        name: one.name,
        data: one.values,
        symbol: "circle",
        symbolSize: 4,
        showSymbol: one.values.length < 32,
        lineStyle: { width: 2, type: place && chart.series.length === 2 ? "dashed" : "solid" },
        color: chart.series.length > 2 ? palette[place % palette.length] : colour(place ? "--series-2" : "--series-1"),
      })),
    }),
    bar: (chart, width) => ({
      ...axes(chart, width),
      grid: { left: 8, right: 20, top: chart.series.length > 1 ? 34 : 8, bottom: chart.sideways && chart.series.length === 1 ? 22 : 4, containLabel: true },
      legend: chart.series.length > 1 ? { type: "scroll", top: 0, left: 0, textStyle: { color: colour("--soft") } } : undefined,
      tooltip: { ...frame().tooltip, trigger: "axis", axisPointer: { type: "shadow" } },
      series: chart.series.map((one, place) => ({
        type: "bar",
        name: one.name,
        data: one.values,
        barMaxWidth: 26,
        color: chart.series.length > 1 ? palette[place % palette.length] : colour("--series-1"),
        itemStyle: { borderRadius: 3 },
      })),
    }),
    heat: (chart) => ({
      grid: { left: 8, right: 8, top: 8, bottom: 44, containLabel: true },
      xAxis: { type: "category", data: chart.x, axisLabel: { color: colour("--soft") }, axisTick: { show: false } },
      yAxis: { type: "category", data: chart.y, inverse: true, axisLabel: { color: colour("--soft") }, axisTick: { show: false } },
      visualMap: {
        min: 0, max: chart.most || 1, orient: "horizontal", left: "center", bottom: 0, itemHeight: 90, itemWidth: 12,
        textStyle: { color: colour("--soft") }, inRange: { color: [colour("--ground"), colour("--series-1")] },
      },
      series: [{ type: "heatmap", name: chart.name, data: chart.cells, label: { show: !!chart.labels, color: colour("--ink"), formatter: ({ value }) => numbers.format(value[2]) }, itemStyle: { borderColor: colour("--paper"), borderWidth: 1 } }],
    }),
    // A row for each rule, 24 cells for each day; how strong a cell is drawn says how much of the hour is meant.
    week: (chart, width) => ({
      grid: { left: 8, right: 8, top: 4, bottom: 8, containLabel: true },
      xAxis: {
        type: "category", data: Array.from({ length: 168 }, (_, hour) => hour), axisTick: { show: false }, axisLine: { show: false },
        axisLabel: { color: colour("--soft"), interval: (place) => place % 24 === 12, formatter: (hour) => chart.days[Math.floor(hour / 24)].slice(0, 3) },
        splitLine: { show: true, interval: (place) => place % 24 === 0, lineStyle: { color: colour("--soft"), opacity: 0.4 } },
      },
      yAxis: { type: "category", data: chart.y, inverse: true, axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: colour("--soft"), width: Math.min(180, 0.3 * width), overflow: "truncate" } },
      tooltip: {
        ...frame().tooltip,
        trigger: "item",
        formatter: ({ value: [hour, row, minutes] }) => `${chart.y[row]}\n${chart.days[Math.floor(hour / 24)]}, ${String(hour % 24).padStart(2, "0")}:00 (${minutes} min)`,
      },
      series: [{
        type: "heatmap",
        data: chart.cells.map(([hour, row, minutes]) => ({ value: [hour, row, minutes], itemStyle: { color: palette[row % palette.length], opacity: 0.35 + (0.65 * minutes) / 60 } })),
      }],
    }),
    sankey: (chart) => ({
      tooltip: { ...frame().tooltip, trigger: "item" },
      series: [{
        type: "sankey",
        data: chart.nodes.map((node) => ({
          name: node.key,
          value: node.value,
          depth: node.depth,
          itemStyle: { color: node.muted ? colour("--series-2") : palette[node.colour % palette.length] },
          label: { formatter: `${node.name.length > 20 ? `${node.name.slice(0, 19)}…` : node.name} · ${numbers.format(node.value)}` },
          tooltip: { formatter: () => `${node.name}: ${numbers.format(node.value)}` },
        })),
        links: chart.links.map((link) => ({
          ...link,
          tooltip: { formatter: () => `${link.from} → ${link.to}: ${numbers.format(link.value)}` },
        })),
        left: 4, right: 194, top: 6, bottom: 6, nodeGap: 9, nodeWidth: 12, draggable: false, layoutIterations: 24,
        label: { color: colour("--ink"), fontSize: 11, width: 186, overflow: "truncate" },
        lineStyle: { color: "source", opacity: 0.28, curveness: 0.5 },
        emphasis: { focus: "adjacency" },
      }],
    }),
  };

  function draw(element) {
    const chart = JSON.parse(element.dataset.chart);
    const drawn = echarts.getInstanceByDom(element) || echarts.init(element, null, { renderer: "svg" });
    drawn.setOption({ ...frame(), ...kinds[chart.kind](chart, element.clientWidth) }, true);
  }

  function drawAll() {
    document.querySelectorAll("[data-chart]").forEach((element) => {
      if (!echarts.getInstanceByDom(element)) draw(element);
    });
  }

  function redrawAll() {
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  function resizeAll() {
    document.querySelectorAll("[data-chart]").forEach((element) => echarts.getInstanceByDom(element)?.resize());
  }

  // Writes the map as a picture of its own, with the outlines that it borrows and the colours that it has on the page.
  async function drawMap(map) {
    const outlines = await fetch(map.querySelector("use").href.baseVal.split("#")[0]);
    const world = new DOMParser().parseFromString(await outlines.text(), "image/svg+xml");
    const picture = map.cloneNode(true);
    const shown = [...map.querySelectorAll("use")];
    [...picture.querySelectorAll("use")].forEach((use, place) => {
      const outline = world.getElementById(use.href.baseVal.split("#")[1])?.cloneNode(true);
      const { fill, stroke, strokeWidth } = getComputedStyle(shown[place]);
      for (const [name, value] of Object.entries({ fill, stroke, "stroke-width": strokeWidth })) outline?.setAttribute(name, value);
      if (outline) use.replaceWith(outline);
      else use.remove();
    });
    for (const [name, value] of Object.entries({ width: map.clientWidth, height: map.clientHeight })) picture.setAttribute(name, value);
    const text = new XMLSerializer().serializeToString(picture);
    return { width: map.clientWidth, height: map.clientHeight, source: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}` };
  }

  // Saves the chart of a button's sheet under its title, twice as fine as it is shown.
  async function savePicture(button) {
    const sheet = button.closest(".sheet");
    const map = sheet.querySelector("svg.map");
    const chart = map ? null : echarts.getInstanceByDom(sheet.querySelector("[data-chart]"));
    const { width, height, source } = map ? await drawMap(map) : { width: chart.getWidth(), height: chart.getHeight(), source: chart.getDataURL({ type: "svg" }) };
    const head = 40;
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * (height + head) });
      const context = canvas.getContext("2d");
      context.scale(2, 2);
      context.fillStyle = colour("--paper");
      context.fillRect(0, 0, width, height + head);
      context.fillStyle = colour("--ink");
      context.font = "600 16px system-ui, sans-serif";
      context.fillText(sheet.querySelector("h2").textContent, 10, 26, width - 20);
      context.drawImage(image, 0, head, width, height);
      canvas.toBlob((picture) => {
        const href = URL.createObjectURL(picture);
        Object.assign(document.createElement("a"), { href, download: `${button.dataset.picture}.png` }).click();
        URL.revokeObjectURL(href);
      });
    });
    image.src = source;
  }

  // Follows the stream of an opened `data-live` part, whose messages are HTML that the server wrote and escaped.
  function follow(details) {
    const part = details.querySelector("[data-live]");
    if (!part || !details.open || details.source) return;
    details.source = new EventSource(part.dataset.live);
    details.source.onmessage = (message) => {
      if (!details.isConnected || !details.open) {
        details.source.close();
        details.source = null;
        return;
      }
      const opened = [...part.querySelectorAll("details")].map((each) => each.open);
      part.querySelectorAll("[data-chart]").forEach((chart) => echarts.getInstanceByDom(chart)?.dispose());
      part.innerHTML = message.data;
      part.querySelectorAll("details").forEach((each, place) => { each.open = opened[place] ?? each.open; });
    };
  }

  // Completes the word before the cursor of a field with `data-words`, by buttons below it.
  function offerWords(input) {
    const label = input.closest("label");
    const typed = input.value.slice(0, input.selectionStart).match(/[A-Za-z_]\w*$/)?.[0] ?? "";
    const words = typed ? input.dataset.words.split(" ").filter((word) => word.includes(typed) && word !== typed) : [];
    words.sort((a, b) => b.startsWith(typed) - a.startsWith(typed));
    let list = label.nextElementSibling;
    if (!list?.classList.contains("words")) {
      list = Object.assign(document.createElement("div"), { className: "words line" });
      label.after(list);
    }
    list.replaceChildren(...words.slice(0, 8).map((word) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: word });
      button.addEventListener("click", () => {
        const end = input.selectionStart;
        input.setRangeText(word, end - typed.length, end, "end");
        input.focus();
        input.dispatchEvent(new Event("input", { bubbles: true }));
      });
      return button;
    }));
  }

  document.addEventListener("input", (event) => {
    if (event.target.dataset?.words) offerWords(event.target);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-picture]");
    if (button) savePicture(button);
  });
  document.addEventListener("toggle", (event) => follow(event.target), true);
  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    new MutationObserver(drawAll).observe(document.body, { childList: true, subtree: true });
  });
  window.addEventListener("resize", resizeAll);
  dark.addEventListener("change", redrawAll);
})();
