// Where something is started, Enter in a field starts nothing: it leads to the button that does, which is pressed on purpose.
(() => {
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing || !target.matches?.("input")) return;
    const form = target.form;
    if (!form?.hasAttribute("data-on-purpose")) return;
    event.preventDefault();
    if (target.type !== "checkbox") form.querySelector("button[type=submit]")?.focus();
  });
})();
