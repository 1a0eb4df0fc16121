// Says that chosen files are too large before they travel; without it the collector says so after.
(function () {
  "use strict";
  var form = document.getElementById("upload");
  var told = document.getElementById("too-large");
  if (!form || !told) { return; }
  var most = Number(form.getAttribute("data-most"));

  form.addEventListener("submit", function (event) {
    var files = form.elements.files.files || [];
    var bytes = 0;
    for (var i = 0; i < files.length; i += 1) { bytes += files[i].size + 1024; }
    told.hidden = bytes <= most;
    if (bytes > most) { event.preventDefault(); }
  });
}());
