//! How the page looks: on a screen, light and dark, in a narrow window, and on paper. It names
//! neither a font nor a picture of its own.

/// The style sheet.
pub(super) const CSS: &str = "
:root{color-scheme:light dark;--paper:#ffffff;--ink:#1b1f24;--soft:#57606a;--line:#c9d1d9;
--band:#f4f6f8;--good:#0f6b35;--goodback:#e3f5e9;--warn:#7a4b00;--warnback:#fff3d6;--bad:#9c1620;
--badback:#fde6e7;--bar:#2f5fb3;--link:#1f4f9e}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--soft:#a3acb7;
--line:#3b434d;--band:#1d2229;--good:#7fdba0;--goodback:#14301f;--warn:#f2c46b;--warnback:#362a10;
--bad:#ff9aa0;--badback:#3c1719;--bar:#7ea6ee;--link:#9dbcf5}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',Arial,sans-serif}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem}
footer{padding-bottom:3rem;color:var(--soft)}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .25rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .5rem;padding-top:.75rem;
border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.5rem 0 .25rem;overflow-wrap:anywhere}
p,ul,dl{margin:.5rem 0;max-width:46rem}
li{margin:.2rem 0}
a{color:var(--link)}
code{font-family:ui-monospace,'Liberation Mono',Menlo,Consolas,monospace;font-size:.9em;
overflow-wrap:anywhere}
.lead{color:var(--soft)}
.verdict{border:2px solid;border-radius:.5rem;padding:1rem 1.25rem;margin:1.25rem 0}
.verdict p{margin:.35rem 0}
.verdict .word{font-size:1.35rem;font-weight:700;margin-top:0}
.good{color:var(--good);background:var(--goodback)}
.warn{color:var(--warn);background:var(--warnback)}
.bad{color:var(--bad);background:var(--badback)}
.verdict .plain{color:var(--ink)}
.note{border-left:4px solid var(--line);padding:.15rem 0 .15rem .75rem;margin:.75rem 0;
color:var(--soft)}
.note.open{border-color:var(--warn)}
.note.done{border-color:var(--good)}
.scroll{overflow-x:auto;margin:1rem 0 .25rem}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;min-width:min(100%,30rem);font-size:.92rem}
caption{text-align:left;font-weight:600;padding:.25rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem .4rem;
border-bottom:1px solid var(--line);overflow-wrap:break-word;max-width:28rem}
thead th{background:var(--band);white-space:nowrap}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.w{white-space:nowrap}
td.h{font-family:ui-monospace,'Liberation Mono',Menlo,Consolas,monospace;font-size:.85em;
min-width:17ch;max-width:24ch;overflow-wrap:anywhere}
.s{display:block;color:var(--soft);font-size:.85em}
.more{color:var(--soft);font-style:italic}
figure{margin:1rem 0}
figcaption{max-width:46rem;color:var(--soft)}
.strip{margin:.75rem 0 0;max-width:46rem}
.strip p{margin:0;display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem}
.strip svg{display:block;width:100%;height:3.5rem;background:var(--band);
border-bottom:1px solid var(--soft)}
.bar{fill:var(--bar)}
.axis{display:flex;justify-content:space-between;max-width:46rem;margin:.15rem 0 0;
color:var(--soft);font-size:.9rem}
dl{display:grid;grid-template-columns:minmax(9rem,14rem) 1fr;gap:.2rem 1rem;max-width:none}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.yes{color:var(--good)}
.no{color:var(--bad);font-weight:600}
@media (max-width:40rem){body{font-size:15px}h1{font-size:1.4rem}dl{grid-template-columns:1fr;gap:0}
dd{margin-bottom:.5rem}td.w{white-space:normal;min-width:11ch}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#999;--band:#f2f2f2;--good:#0b4f27;
--goodback:#fff;--warn:#5c3900;--warnback:#fff;--bad:#7d1119;--badback:#fff;--bar:#333;--link:#000}
body{font-size:10pt}main,header,footer{max-width:none;padding:0}nav{display:none}
.scroll{overflow:visible}table{font-size:8.5pt;width:100%}thead{display:table-header-group}
tr,.strip,.verdict{break-inside:avoid}h2,h3,caption{break-after:avoid}
td.w,th,td.n{white-space:normal}.bar{print-color-adjust:exact}}
";
