// A filter that is part of the address: it is sent as soon as something is chosen, and without what is empty.
(() => {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-sends-itself]");
    if (form && event.target.checkValidity()) form.requestSubmit();
  });
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.method !== "get") return;
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });
})();
