// Keeps the page of one machine current.
(function () {
  "use strict";
  var CHARTS_MS = 60000;
  var body = document.body;
  var here = "/machines/" + body.dataset.agent;
  var drawn = Date.now();
  var asking = false;

  function charts() {
    drawn = Date.now();
    window.hatang.fetchText(here + "/charts?span=" + body.dataset.span).then(function (text) {
      document.getElementById("charts").innerHTML = text;
    }).catch(function () { /* the next news ask again; the note of live.js tells that the line is lost */ });
  }

  window.hatang.onNews(function (payload) {
    var mine = payload.cards.some(function (change) { return change.agent === body.dataset.agent; });
    if (!mine || asking) { return; }
    asking = true;
    window.hatang.fetchText(here + "/now").then(function (text) {
      var now = document.getElementById("now");
      var details = document.getElementById("values");
      var open = details && details.open;
      now.innerHTML = text;
      details = document.getElementById("values");
      if (details) { details.open = Boolean(open); }
      window.hatang.tick();
      asking = false;
      if (Date.now() - drawn > CHARTS_MS) { charts(); }
    }).catch(function () { asking = false; });
  });
})();
