"""The style sheet of report.html."""

STYLE = '''
:root{--ink:#1c2430;--dim:#667085;--line:#e4e7ec;--bg:#f6f7f9;--card:#fff;--blue:#2563eb;--green:#16803c;
--amber:#b45309;--red:#b42318}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;--line:#2b3341;--bg:#12161d;--card:#1a202a;
--blue:#6ea8fe;--green:#4ade80;--amber:#fbbf24;--red:#f97066}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:28px;margin:0 0 4px;letter-spacing:-.01em}h2{font-size:18px;margin:0 0 12px}
h3{font-size:13px;margin:0;overflow-wrap:anywhere}
header p{margin:0;overflow-wrap:anywhere}section{margin-top:32px}.dim{color:var(--dim);font-size:13px}
.state{font-size:14px;font-weight:600;padding:3px 12px;border-radius:99px;vertical-align:middle;color:#fff}
.state.done{background:#16803c}.state.failed{background:#b42318}
.problems{border:1px solid var(--red);border-radius:12px;padding:16px 20px;background:var(--card)}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:16px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 20px;
border-top:3px solid var(--blue)}
.tile b{display:block;font-size:28px;line-height:1.2}.tile span{color:var(--dim)}
.tile i{float:right;font-style:normal;color:var(--dim)}
.tile.written{border-top-color:var(--green)}.tile.dropped{border-top-color:var(--amber)}
.tile.failed{border-top-color:var(--red)}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);border-radius:12px;
overflow:hidden;font-size:14px}
th,td{padding:8px 14px;text-align:left;border-bottom:1px solid var(--line);overflow-wrap:anywhere;vertical-align:top}
tbody tr:last-child td{border-bottom:0}thead th{color:var(--dim);font-weight:600;font-size:13px}
.wide{overflow-x:auto}.wide td:first-child{min-width:14em}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.reasons{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:16px}
details{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
details ul{margin:8px 0 0;padding-left:18px;font-size:13px}summary{cursor:pointer}code{overflow-wrap:anywhere}
.pill{float:right;font-size:12px;border-radius:99px;padding:2px 10px;border:1px solid currentColor}
.dropped .pill{color:var(--amber)}.failed .pill{color:var(--red)}.why{color:var(--dim);overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:16px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
figcaption{font-weight:600;font-size:14px;margin-bottom:8px}
.bars{border:0;border-radius:0;background:none;font-size:13px}.bars th{font-weight:400;color:var(--dim);width:42%;
padding:2px 8px 2px 0;border:0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;max-width:150px}
.bars td{border:0;padding:2px 0}.bars td.n{width:56px}.bars div{background:var(--blue);height:12px;border-radius:3px}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(520px,1fr));gap:16px}
article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px;display:grid;
grid-template-columns:230px 1fr;gap:16px;height:324px;overflow:hidden}
article a{height:300px;background:var(--bg);border-radius:8px;overflow:hidden;display:flex;align-items:center;
justify-content:center}
article img{max-width:100%;max-height:100%;display:block;box-shadow:0 1px 4px rgba(16,24,40,.18)}
article div{min-width:0;overflow:hidden;display:flex;flex-direction:column}
article p{margin:0 0 4px}article pre{margin:0;white-space:pre-wrap;overflow:hidden;overflow-wrap:anywhere;
font:12px/1.45 ui-monospace,"Noto Sans Mono",monospace;color:var(--ink);flex:1;
-webkit-mask-image:linear-gradient(#000 75%,transparent);mask-image:linear-gradient(#000 75%,transparent)}
.two{display:grid;grid-template-columns:1fr 1fr;gap:24px;align-items:start}
.compared{display:grid;grid-template-columns:1fr 1fr;gap:16px;margin-top:8px}.compared pre{margin:0;white-space:pre-wrap;
overflow-wrap:anywhere;font:12px/1.5 ui-monospace,"Noto Sans Mono",monospace}
.compared del{text-decoration:none;background:color-mix(in srgb,var(--red) 22%,transparent)}
.compared ins{text-decoration:none;background:color-mix(in srgb,var(--green) 24%,transparent)}
details+details{margin-top:12px}.reasons details+details{margin-top:0}
@media (max-width:760px){main{padding:20px 14px 40px}table{display:block;overflow-x:auto}.bars,.wide table{display:table}.wide td:first-child{min-width:9em}
.reasons,.charts{grid-template-columns:1fr}article{grid-template-columns:1fr;height:auto}article a{height:auto;max-height:300px}article pre{max-height:240px}
th:first-child,td:first-child{min-width:7em}.compared{grid-template-columns:1fr}.sheet{grid-template-columns:1fr}.tiles{grid-template-columns:1fr 1fr}.two{grid-template-columns:1fr}}
'''.replace('\n', '')
