// Helps with the forms about an office: proposes, copies, asks what has arrived.
// ES2017 at most: offices have old browsers. Without it every page still works.
(function () {
  "use strict";

  function each(found, what) { Array.prototype.forEach.call(found, what); }

  function copied(text, done) {
    // The clipboard of modern browsers needs HTTPS; inside an office the page often has none.
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text).then(done, function () { byHand(text, done); });
    } else {
      byHand(text, done);
    }
  }

  function byHand(text, done) {
    var area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "unseen";
    document.body.appendChild(area);
    area.select();
    if (document.execCommand("copy")) { done(); }
    document.body.removeChild(area);
  }

  each(document.querySelectorAll("button.copy"), function (button) {
    var words = button.textContent;
    button.hidden = false;
    button.addEventListener("click", function () {
      copied(document.getElementById(button.dataset.copy).textContent, function () {
        button.textContent = button.dataset.done;
        button.focus();
        setTimeout(function () { button.textContent = words; }, 2500);
      });
    });
  });

  each(document.querySelectorAll("form[data-once]"), function (form) {
    // A second click must not make a second office.
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); }
      form.dataset.sent = "1";
    });
    window.addEventListener("pageshow", function () { delete form.dataset.sent; });
  });

  function proposeName(form) {
    var name = form.elements.site_name;
    var known = form.elements.unit;
    var fresh = form.elements.unit_name;
    var options = {};
    var typed = Boolean(name.value);
    each(document.querySelectorAll("#units option"), function (option) {
      options[option.value] = option.dataset.name;
    });
    function propose() {
      var isNew = form.querySelector("#how-new").checked;
      if (typed) { return; }
      name.value = isNew ? fresh.value : options[known.value] || "";
    }
    name.addEventListener("input", function () { typed = Boolean(name.value); });
    [known, fresh].forEach(function (field) { if (field) { field.addEventListener("input", propose); } });
    each(form.querySelectorAll("[name=unit_how]"), function (radio) {
      radio.addEventListener("change", propose);
    });
  }
  each(document.querySelectorAll("form.office"), proposeName);

  var wrong = document.querySelector("[aria-invalid=true]");
  if (wrong) { wrong.focus(); }

  var place = document.getElementById("arrivals");
  function ask() {
    if (document.hidden) { later(); return; }
    fetch(place.dataset.arrivals, { credentials: "same-origin" })
      .then(function (answer) {
        if (!answer.ok || answer.redirected) { throw new Error(String(answer.status)); }
        return answer.text();
      })
      .then(function (text) {
        var inside = place.contains(document.activeElement);
        // What a person has focused stays until they go on.
        if (!inside && place.innerHTML.trim() !== text.trim()) { place.innerHTML = text; }
        later();
      })
      .catch(later);  // the next answer is as good as this one
  }
  function later() {
    var now = document.getElementById("arrivals-now");
    setTimeout(ask, 1000 * Number((now && now.dataset.pollS) || 15));
  }
  if (place && window.fetch) { later(); }
})();
