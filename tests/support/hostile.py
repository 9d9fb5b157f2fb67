"""Texts that would run code if a page took them for more than text. The code calls ``bang``."""

from support.browser import chromium_page

BANG = "(window.top.bang||alert)(1)"
HOSTILE = [
    f"<script>{BANG}</script>",
    f"</script><script>{BANG}</script>",
    f"<SCRIPT SRC=data:text/javascript,{BANG}></SCRIPT>",
    f"<img src=x onerror={BANG}>",
    f"<img src=x onerror='{BANG}'//",
    f'"><img src=x onerror="{BANG}">',
    f"'><img src=x onerror='{BANG}'>",
    f"<svg onload={BANG}>",
    f"<svg><script>{BANG}</script></svg>",
    f"<svg><animate onbegin={BANG} attributeName=x dur=1s>",
    f"<svg><foreignObject><body onload={BANG}></foreignObject></svg>",
    f"<iframe srcdoc='<script>{BANG}</script>'></iframe>",
    f"<iframe src=javascript:{BANG}></iframe>",
    f'<object data="data:text/html,<script>{BANG}</script>"></object>',
    f"<embed src=javascript:{BANG}>",
    f"<a href=javascript:{BANG} autofocus onfocus={BANG}>click</a>",
    f"<input autofocus onfocus={BANG}>",
    f"<details open ontoggle={BANG}>",
    f"<video><source onerror={BANG}></video>",
    f"<audio src=x onerror={BANG}>",
    f"<body onload={BANG}>",
    f"<style>@keyframes x{{}}</style><b style='animation-name:x' onanimationstart={BANG}>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={BANG}>",
    f"<template><img src=x onerror={BANG}></template><form><math><mtext></form><form><mglyph><svg><mtext><style><path id='</style><img onerror={BANG} src>'>",
    f"<!--><img src=x onerror={BANG}>-->",
    f"<noscript><p title='</noscript><img src=x onerror={BANG}>'>",
    f"<meta http-equiv=refresh content='0;url=javascript:{BANG}'>",
    f"<base href=javascript:{BANG}//>",
    f'![x](x" onerror={BANG})',
    f"[click](javascript:{BANG})",
    f"<javascript:{BANG}>",
    f"&lt;img src=x onerror={BANG}&gt;",
    f"&#60;img src=x onerror={BANG}&#62;",
    f"\\u003cimg src=x onerror={BANG}\\u003e",
    "{{constructor.constructor('" + BANG + "')()}}",
    "${" + BANG + "}",
    f"$\\href{{javascript:{BANG}}}{{x}}$",
    f"$$\\unicode{{<img src=x onerror={BANG}>}}$$",
    f"```html\n<img src=x onerror={BANG}>\n```",
    f"\u202e<img src=x onerror={BANG}>\u202c",
    f"\x1b[31m<img src=x onerror={BANG}>",
    f"</textarea><img src=x onerror={BANG}>",
    f"</title></style><img src=x onerror={BANG}>",
    f"]]><img src=x onerror={BANG}>",
]
FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "＝1+1",
    '=HYPERLINK("http://x")',
]
assert len(HOSTILE) >= 30
LISTEN = "window.ran = []; window.bang = what => { window.ran.push(what); };"


def check_page(path):
    """Open a page without a network and check that none of the texts has run; the content of the page."""
    with chromium_page(offline=True) as page:
        dialogs = []
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.add_init_script(LISTEN)
        page.goto(f"file://{path}")
        page.wait_for_timeout(1500)
        assert page.evaluate("window.ran") == []
        assert dialogs == []
        return page.content()
