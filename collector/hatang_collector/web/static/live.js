// Keeps a page current: server-sent events, and asking again when they do not come.
// ES2017 at most: offices have old browsers.
(function () {
  "use strict";
  var POLL_MS = 15000;      // between two questions while there is no stream
  var SILENCE_MS = 40000;   // a stream without a beat for so long is dead
  var RETRY_MS = 60000;     // between two attempts at a stream while polling

  var root = document.documentElement;
  var body = document.body;
  var note = document.getElementById("not-live");
  var base = body.dataset.live;
  var mark = body.dataset.mark;
  var ahead = Number(body.dataset.nowMs) - Date.now();
  var listeners = [];
  var source = null;
  var heard = Date.now();
  var polling = null;
  var retry = null;

  function now() { return Date.now() + ahead; }

  function words(unit, count) {
    var both = root.dataset["age" + unit.charAt(0).toUpperCase() + unit.slice(1)].split("|");
    return count + " " + (count === 1 ? both[0] : both[1]);
  }

  function age(atMs) {
    var seconds = Math.floor((now() - atMs) / 1000);
    var steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
    for (var i = 0; i < steps.length; i += 1) {
      if (seconds >= steps[i][1]) {
        return root.dataset.agePattern.replace("{}", words(steps[i][0], Math.floor(seconds / steps[i][1])));
      }
    }
    return root.dataset.ageFresh;
  }

  function tick() {
    var times = document.querySelectorAll("time[data-age]");
    for (var i = 0; i < times.length; i += 1) {
      var text = age(Number(times[i].dataset.age));
      if (times[i].textContent !== text) { times[i].textContent = text; }
    }
    var clock = document.getElementById("clock");
    if (clock) {
      var vietnam = new Date(now() + 7 * 3600000).toISOString();
      clock.textContent = vietnam.slice(8, 10) + "/" + vietnam.slice(5, 7) + "/" + vietnam.slice(0, 4) +
        " " + vietnam.slice(11, 16);
    }
  }

  function say(kind) {
    if (!note) { return; }
    var text = kind ? note.dataset[kind] : "";
    if (note.textContent !== text) { note.textContent = text; }
    note.hidden = !kind;
    body.dataset.connection = kind || "live";
  }

  function only() {
    // A page that shows some of the machines asks for these alone.
    if (body.dataset.agent) { return "&only=" + body.dataset.agent; }
    if (body.dataset.whole) { return ""; }
    var cards = document.querySelectorAll("#cards > [data-agent]");
    var agents = Array.prototype.map.call(cards, function (card) { return card.dataset.agent; });
    return "&only=" + (agents.join(",") || "none");
  }

  function take(payload) {
    heard = Date.now();
    ahead = payload.now_ms - heard;
    if (payload.restarted) {
      // The server is a new one. Spread over some seconds, so that not every page asks at once.
      stop();
      setTimeout(function () { location.reload(); }, 500 + Math.random() * 4500);
      return;
    }
    var newest = document.getElementById("newest");
    if (newest) {
      newest.hidden = !payload.newest_ms;
      newest.querySelector("time").dataset.age = payload.newest_ms;
    }
    if (payload.mark) {
      mark = payload.mark;
      listeners.forEach(function (listener) { listener(payload); });
      tick();
    }
  }

  function ask() {
    fetch(base + "/cards?since=" + encodeURIComponent(mark) + only(), { credentials: "same-origin" })
      .then(function (answer) {
        if (answer.status === 401 || answer.status === 403) { location.reload(); }
        if (!answer.ok) { throw new Error(String(answer.status)); }
        return answer.json();
      })
      .then(function (payload) { take(payload); if (polling) { say("polling"); } })
      .catch(function () { if (polling) { say("lost"); } });
  }

  function poll() {
    stop();
    if (polling) { return; }
    say("polling");
    polling = setInterval(ask, POLL_MS);
    ask();
    retry = setInterval(listen, RETRY_MS);
  }

  function stop() {
    if (source) { source.close(); source = null; }
  }

  function listen() {
    stop();
    if (!window.EventSource) { poll(); return; }
    var mine = new EventSource(base + "/events?since=" + encodeURIComponent(mark) + only());
    source = mine;
    heard = Date.now();
    var broken = 0;
    function arrived(message) {
      broken = 0;
      clearInterval(polling); polling = null;
      clearInterval(retry); retry = null;
      say("");
      take(JSON.parse(message.data));
    }
    mine.addEventListener("machines", arrived);
    mine.addEventListener("beat", arrived);
    mine.onerror = function () {
      // The stream ends every ten minutes on purpose; the browser comes back by itself once.
      broken += 1;
      if (mine === source && (broken > 1 || mine.readyState === EventSource.CLOSED)) { poll(); }
    };
  }

  setInterval(function () {
    tick();
    if (source && Date.now() - heard > SILENCE_MS) { poll(); }
  }, 1000);

  document.addEventListener("visibilitychange", function () {
    // A hidden page gives its connection back: browsers allow six of them to one server.
    if (document.hidden) {
      stop();
      clearInterval(polling); polling = null;
      clearInterval(retry); retry = null;
    } else {
      listen();
    }
  });

  window.hatang = {
    onNews: function (listener) { listeners.push(listener); },
    fetchText: function (address) {
      return fetch(address, { credentials: "same-origin" }).then(function (answer) {
        if (!answer.ok) { throw new Error(String(answer.status)); }
        return answer.text();
      });
    },
    tick: tick
  };
  tick();
  document.addEventListener("DOMContentLoaded", listen);
})();
