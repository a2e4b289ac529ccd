// The filter of a list: the address of the page follows it, so that it can be kept, sent and reloaded.
(() => {
  const isFilter = (element) => element?.matches?.("form[data-filter]");
  const here = () => location.pathname + location.search;
  let shown = here();

  // What is empty need not be in the address.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.method !== "get") return;
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });

  // Back leads to the choice before; the letters of a search are no steps of their own.
  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement: form, sourceEvent, response } = event.detail.ctx;
    if (!isFilter(form) || response.status !== 200) return;
    const chosen = new URLSearchParams(new FormData(form));
    const address = form.getAttribute("action") + (chosen.size ? `?${chosen}` : ""); // a field may be called "action"
    const isTyped = sourceEvent?.target?.matches?.("input[type=search]");
    if (new URL(address, location.href).href !== location.href) {
      if (isTyped) history.replaceState(history.state, "", address);
      else history.pushState(null, "", address);
    }
    shown = here();
    const clear = form.querySelector("[data-clear]");
    if (clear) clear.hidden = !chosen.size;
  });
  window.addEventListener("popstate", () => { if (here() !== shown) location.reload(); });
})();
