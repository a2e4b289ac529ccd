// The host checklist: select all (three states), how many are chosen, and the button that names the consequence.
(() => {
  const boxesOf = (list) => [...list.querySelectorAll("input[name=host_id][type=checkbox]:not(:disabled)")];

  function chosenIn(list) {
    const everyone = list.querySelector("input[name=host]:checked");
    if (everyone) return Number(everyone.dataset.count);
    return list.querySelectorAll("input[name=host_id]:checked, input[name=host_id][type=hidden]").length;
  }

  function nameConsequence(form, count) {
    const button = form.querySelector("button[data-many]");
    const version = form.elements.dest_version?.selectedOptions[0]?.dataset.label;
    const { one, many, part, all, none } = button.dataset;
    const some = part && count < Number(all) ? part : many;
    const text = count && version ? (count === 1 ? one : some) : none;
    button.textContent = text.replace("{n}", count).replace("{version}", version);
  }

  function refresh() {
    const list = document.getElementById("rollout-hosts");
    if (!list) return;
    const boxes = boxesOf(list);
    const ticked = boxes.filter((box) => box.checked).length;
    const all = list.querySelector("[data-select-all]");
    if (all) {
      all.checked = boxes.length > 0 && ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
      all.disabled = boxes.length === 0;
    }
    const count = chosenIn(list);
    const output = list.querySelector("output");
    if (output) output.textContent = output.dataset.text.replace("{n}", count);
    nameConsequence(list.form, count);
  }

  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (form?.id !== "rollout") return;
    const list = document.getElementById("rollout-hosts");
    if (event.target.matches("[data-select-all]")) for (const box of boxesOf(list)) box.checked = event.target.checked;
    // "Every host" and single hosts exclude each other.
    if (event.target.name === "host" && event.target.checked) {
      for (const box of boxesOf(list)) box.checked = false;
      for (const hidden of list.querySelectorAll("input[name=host_id][type=hidden]")) hidden.remove();
    } else if (event.target.matches("[name=host_id], [data-select-all]")) {
      const everyone = list.querySelector("input[name=host]:checked");
      if (everyone) everyone.checked = false;
    }
    refresh();
  });
  document.addEventListener("htmx:after:swap", refresh);
  refresh();
})();
