// A table wider than the window can be scrolled by keyboard too.
for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap")) wrap.tabIndex = 0;
