"""One self-contained page of a run, a comparison or a gate, to be mailed or kept: no network, two languages.

document     what a page consists of, and its HTML
headline     the article's table at its head
run, compared, gated    the three kinds of page
words        labels in both languages
page.html.j2, page.css, page.js    its layout, look and behaviour
"""
