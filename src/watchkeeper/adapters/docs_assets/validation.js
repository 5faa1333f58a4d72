// Folding and the filter "failed only"; the pages say the same without it.
document.addEventListener("click", function (event) {
  var link = event.target.closest('[data-toggle="collapse"]');
  if (!link) { return; }
  event.preventDefault();
  var body = document.getElementById(link.getAttribute("href").slice(1));
  link.setAttribute("aria-expanded", String(body.classList.toggle("show")));
});
document.addEventListener("change", function (event) {
  if (event.target.id !== "failed-only") { return; }
  var hide = event.target.checked;
  document.querySelectorAll(".hide-succeeded-validation-target-child").forEach(function (cell) {
    cell.closest("tr").classList.toggle("is-hidden", hide);
  });
  document.querySelectorAll(".hide-succeeded-validations-column-section-target-child").forEach(function (block) {
    var section = block.closest(".ge-section");
    section.classList.toggle("is-hidden", hide);
    document.querySelector('a[href="#' + section.id + '"]').classList.toggle("is-hidden", hide);
  });
});
