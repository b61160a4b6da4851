"use strict";
// Shows what a mark says about itself where the pointer is. The page is whole without it.
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.("figure svg [aria-roledescription][aria-label]:not(.mark-group)");
    const text = mark?.getAttribute("aria-label");
    tip.hidden = !text || mark.getAttribute("aria-roledescription") === "axis";
    if (tip.hidden) return;
    tip.textContent = text;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = (event.clientY + box.height + 24 > innerHeight ? event.clientY - box.height - 12 : event.clientY + 16) + "px";
  });
})();
