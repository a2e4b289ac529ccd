// The filter of a list: the address of the page follows it, so that it can be kept, sent and reloaded.
(() => {
  const isFilter = (element) => element?.matches?.("form[data-filter]");

  // What is empty need not be in the address.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.method !== "get") return;
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });

  // What a poll of the list before is still to bring must not come into the list that is swapped in now.
  document.addEventListener("htmx:before:swap", (event) => {
    const poller = document.getElementById("poller");
    if (poller && isFilter(event.detail.ctx.sourceElement)) htmx.trigger(poller, "htmx:abort");
  });

  document.addEventListener("htmx:after:request", (event) => {
    const form = event.detail.ctx.sourceElement;
    if (!isFilter(form) || event.detail.ctx.response.status !== 200) return;
    const address = form.getAttribute("action"); // a field may be called "action"
    const chosen = new URLSearchParams(new FormData(form));
    history.replaceState(history.state, "", chosen.size ? `${address}?${chosen}` : address);
    const clear = form.querySelector("[data-clear]");
    if (clear) clear.hidden = !chosen.size;
  });
})();
