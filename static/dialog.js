// The one <dialog>: content swapped into it opens it; closing it empties it and gives the focus back.
(() => {
  const dialog = document.getElementById("dialog");
  let opener = null;

  function focusFirst() {
    const first = dialog.querySelector("[autofocus]")
      ?? dialog.querySelector(".modal-body :is(select, input:not([type=hidden]), textarea, a[href]):not(:disabled)");
    (first ?? dialog.querySelector("[data-close]"))?.focus();
  }

  document.addEventListener("click", (event) => {
    const trigger = event.target.closest("[hx-target='#dialog']");
    if (trigger && !dialog.open) opener = trigger;
    if (event.target.closest("#dialog [data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx.target !== dialog || !dialog.firstElementChild) return;
    dialog.setAttribute("aria-labelledby", dialog.querySelector("h1").id);
    if (!dialog.open) dialog.showModal();
    focusFirst();
  });

  dialog.addEventListener("close", () => {
    for (const part of dialog.querySelectorAll("[hx-get], [hx-post]")) htmx.trigger(part, "htmx:abort");
    dialog.replaceChildren();
    // A row may have been swapped meanwhile: its new trigger has the same id.
    (opener?.isConnected ? opener : document.getElementById(opener?.id))?.focus();
    opener = null;
  });

  // A page that shows the change live stays; any other goes where it can be watched.
  document.addEventListener("closeDialog", (event) => {
    if (dialog.open) dialog.close();
    if (event.detail.leave || !document.querySelector("#poller:not([data-list])")) location.assign(event.detail.otherwise);
  });
})();
