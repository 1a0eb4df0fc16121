// Keeps one part of a page current: asks for it every few seconds while somebody looks.
// ES2017 at most: offices have old browsers. Without it the page shows what it showed when it was loaded.
(function () {
  "use strict";

  var EVERY_MS = 5000;
  var place = document.querySelector("[data-refresh]");
  if (!place) { return; }
  var shown = "";

  function ask() {
    if (document.hidden) { later(); return; }
    fetch(place.dataset.refresh, { credentials: "same-origin" })
      .then(function (answer) {
        if (!answer.ok || answer.redirected) { throw new Error(String(answer.status)); }
        return answer.text();
      })
      .then(function (text) {
        // A part somebody reads or has put the cursor in stays as it is unless something changed.
        if (text !== shown) { place.innerHTML = text; shown = text; }
        later();
      })
      .catch(later);
  }

  function later() { setTimeout(ask, EVERY_MS); }

  later();
}());
