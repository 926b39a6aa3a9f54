// A read-out under the pointer. Charts are complete without it.
(() => {
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target) target.querySelector("details").open = true;
  };
  addEventListener("hashchange", open);
  open();
  const tip = document.getElementById("tip");
  const axis = (text) => {
    const [kind, low, high, ...unit] = text.split(",");
    return { kind, low: +low, high: +high, unit: unit.join(",") };
  };
  const scaled = (a, v) => a.kind === "log" ? Math.log10(v) : a.kind === "percentile" ? -Math.log10(1 - v) : v;
  const value = (a, share) => {
    const low = scaled(a, a.low), at = low + share * (scaled(a, a.high) - low);
    return a.kind === "log" ? 10 ** at : a.kind === "percentile" ? 1 - 10 ** -at : at;
  };
  const show = (v) => {
    const size = Math.abs(v);
    if (size >= 100 || v === 0) return Math.round(v).toLocaleString("en");
    return v.toLocaleString("en", { maximumSignificantDigits: 3 });
  };
  const head = (a, v) => a.kind === "percentile" ? +(v * 100).toPrecision(6) + " %" : show(v) + " " + a.unit;
  const points = (line) => line.kept ??= line.getAttribute("points").split(" ").map((p) => p.split(",").map(Number));
  for (const figure of document.querySelectorAll(".chart")) {
    const x = axis(figure.dataset.x), y = axis(figure.dataset.y), svg = figure.querySelector("svg");
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y1", 0);
    cursor.setAttribute("y2", 1000);
    const area = figure.querySelector(".area");
    area.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * 1000;
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      svg.append(cursor);
      tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: head(x, value(x, at / 1000)) }));
      for (const line of svg.querySelectorAll(".line")) {
        const near = points(line).reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a);
        const row = document.createElement("div");
        row.textContent = line.dataset.name + ": " + show(value(y, 1 - near[1] / 1000)) + " " + y.unit;
        tip.append(row);
      }
      tip.hidden = false;
      const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      tip.style.left = Math.max(left, 8) + "px";
      tip.style.top = Math.max(event.clientY - tip.offsetHeight - 12, 8) + "px";
    });
    area.addEventListener("pointerleave", () => { tip.hidden = true; cursor.remove(); });
  }
})();
