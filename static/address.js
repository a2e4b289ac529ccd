// The address of the page follows the filter of its list, so that it can be kept, sent and reloaded.
(() => {
  document.addEventListener("htmx:after:request", (event) => {
    const form = event.detail.ctx.sourceElement;
    if (form?.id !== "instance-filter" || event.detail.ctx.response.status !== 200) return;
    const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(history.state, "", chosen.size ? `${form.action}?${chosen}` : form.action);
  });
})();
