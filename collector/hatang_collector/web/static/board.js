// Puts changed cards in place and fills in the small charts.
(function () {
  "use strict";
  var BATCH = 12;
  var CHARTS_MS = 60000;  // charts of one machine are asked for again at most this often
  var EMPTY_MS = 2000;    // a new machine may have nothing to draw yet: asked again this soon,
  var EMPTY_TRIES = 3;    // and so many times
  var tries = {};
  var cards = document.getElementById("cards");
  var note = document.getElementById("charts-note");
  var drawn = {};
  var wanted = [];
  var asking = false;

  function bySort(one, other) {
    if (one.dataset.sort === other.dataset.sort) { return 0; }
    return one.dataset.sort < other.dataset.sort ? -1 : 1;
  }

  function moveCharts(from, to) {
    var slots = to.querySelectorAll("[data-spark]");
    for (var i = 0; i < slots.length; i += 1) {
      var old = from.querySelector('[data-spark="' + slots[i].dataset.spark + '"]');
      while (old && old.firstChild) { slots[i].appendChild(old.firstChild); }
    }
  }

  function place(card) {
    var all = cards.children;
    for (var i = 0; i < all.length; i += 1) {
      if (all[i] !== card && bySort(card, all[i]) < 0) {
        if (all[i].previousElementSibling !== card) { cards.insertBefore(card, all[i]); }
        return;
      }
    }
    if (cards.lastElementChild !== card) { cards.appendChild(card); }
  }

  function patch(change) {
    var old = document.getElementById("m-" + change.agent);
    if (!old && !document.body.dataset.whole) { return; }
    var holder = document.createElement("div");
    holder.innerHTML = change.html;
    var fresh = holder.firstElementChild;
    if (old) {
      var focused = old.contains(document.activeElement);
      moveCharts(old, fresh);
      cards.replaceChild(fresh, old);
      if (focused) { fresh.querySelector("a").focus(); }
      if (old.dataset.sort !== fresh.dataset.sort) { place(fresh); }
    } else {
      place(fresh);
    }
    want(change.agent);
  }

  function want(agent) {
    var card = document.getElementById("m-" + agent);
    if (!card || !card.querySelector("[data-spark]")) { return; }  // cards of sites have no charts
    if (drawn[agent] && Date.now() - drawn[agent] < CHARTS_MS) { return; }
    if (wanted.indexOf(agent) < 0) { wanted.push(agent); }
    ask();
  }

  function draw(agent, pictures) {
    // How many were drawn: a card made before its first values has no place for them yet.
    var card = document.getElementById("m-" + agent);
    return Object.keys(pictures || {}).filter(function (slot) {
      var place = card && card.querySelector('[data-spark="' + slot + '"]');
      if (place) { place.innerHTML = pictures[slot]; }
      return place;
    }).length;
  }

  function askAgain(agent) {
    tries[agent] = (tries[agent] || 0) + 1;
    if (tries[agent] > EMPTY_TRIES) { return; }
    setTimeout(function () { drawn[agent] = 0; want(agent); }, EMPTY_MS * tries[agent]);
  }

  function ask() {
    if (asking || !wanted.length) { return; }
    asking = true;
    var now = wanted.splice(0, BATCH);
    now.forEach(function (agent) { drawn[agent] = Date.now(); });
    window.hatang.fetchText("/board/charts?agents=" + now.join(","))
      .then(function (text) {
        var answer = JSON.parse(text);
        now.forEach(function (agent) {
          if (!draw(agent, answer[agent])) { askAgain(agent); }
        });
        note.hidden = true;
        asking = false;
        ask();
      })
      .catch(function () { note.hidden = false; asking = false; wanted = []; });
  }

  window.hatang.onNews(function (payload) {
    document.getElementById("tiles").innerHTML = payload.tiles;
    payload.cards.forEach(patch);
    payload.gone.forEach(function (agent) {
      var card = document.getElementById("m-" + agent);
      if (card) { cards.removeChild(card); }
    });
    var empty = document.getElementById("empty");
    if (empty && cards.children.length) { empty.parentNode.removeChild(empty); }
  });

  Array.prototype.forEach.call(cards.children, function (card) { want(card.dataset.agent); });
})();
