"""Texts that token estimates are measured on: prose, code and CJK of many sizes, the same ones every time."""

from __future__ import annotations

import argparse
import ast
import calendar
import csv
import dataclasses
import difflib
import heapq
import ipaddress
import textwrap
import zipfile
from collections.abc import Mapping
from functools import cache
from inspect import getsource
from random import Random

MODULES = (argparse, ast, calendar, csv, dataclasses, difflib, heapq, ipaddress, textwrap, zipfile)
"""Python's own library is code that others wrote, and does not change with this project."""


PROSE: Mapping[str, tuple[str, ...]] = {
    "news": (
        "The harbour authority said on Friday that the second terminal would open three months later than planned.",
        "Ministers disagreed about the tax on kerosene, and the vote was put off until the autumn session.",
        "Rescue workers reached the village by boat after the only bridge had been washed away overnight.",
        "Analysts had expected a smaller loss; shares fell by six per cent in early trading before they recovered.",
    ),
    "letters": (
        "I'm so sorry I couldn't come on Sunday, but Ben had a fever and we didn't want to leave him with my mum.",
        "Do you still have the recipe for that plum cake? Everybody keeps asking me for it!",
        "We finally painted the kitchen. It's a bit too yellow, to be honest, though the kids love it.",
        "Well, that's all from here; write back soon and tell me whether you got the job.",
    ),
    "contracts": (
        "The Supplier shall indemnify the Customer against any liability arising out of a breach of this Agreement.",
        "Notwithstanding clause 14.2, either party may terminate with immediate effect upon insolvency of the other.",
        "Confidential Information excludes information which is independently developed without reference thereto.",
        "This Agreement constitutes the entire understanding between the parties and supersedes prior negotiations.",
    ),
    "science": (
        "Samples were incubated at 37 degrees for 48 hours and centrifuged before chromatographic separation.",
        "Mitochondrial dysfunction correlates with elevated concentrations of reactive oxygen species in neurons.",
        "The residuals are heteroscedastic, which is why we report robust standard errors throughout.",
        "Phylogenetic reconstruction placed the specimen outside every previously described subfamily.",
    ),
    "german": (
        "Der Gemeinderat hat gestern beschlossen, das alte Schulhaus zu sanieren und eine Bücherei einzurichten.",
        "Wegen der anhaltenden Trockenheit dürfen Gärten vorläufig nur noch abends bewässert werden.",
        "Können Sie mir bitte sagen, wann der nächste Zug nach Göttingen fährt und ob er pünktlich ist?",
    ),
    "french": (
        "La préfecture a annoncé que la route côtière resterait fermée jusqu'à la fin du mois de février.",
        "Nous avons passé l'été chez ma grand-mère, où il n'y avait ni télévision ni téléphone.",
        "Pourriez-vous m'indiquer à quelle heure ouvre la bibliothèque et si l'entrée est gratuite ?",
    ),
    "spanish": (
        "La alcaldesa inauguró ayer el mercado central después de cuatro años de obras y varias polémicas.",
        "Mañana no habrá clases porque están reparando la calefacción del edificio antiguo.",
        "¿Podrías enviarme las fotos del viaje cuando tengas un momento? Me haría mucha ilusión verlas.",
    ),
}
CJK: Mapping[str, tuple[str, ...]] = {
    "chinese": (
        "昨天下午，市政府宣布将在明年春天开始修建第二条地铁线路，预计需要四年时间完成。",
        "由于连续多日的大雨，山区的几条公路被迫关闭，居民们只能绕道前往县城。",
        "她打开窗户，看见院子里的桂花已经开了，空气中满是淡淡的香味。",
        "根据合同第十条的规定，任何一方违约都应当向对方支付相应的赔偿金。",
        "研究人员发现，每天步行半小时可以明显改善睡眠质量和记忆力。",
    ),
    "japanese": (
        "昨日の午後、市は来年の春から新しい橋の工事を始めると発表しました。",
        "大雨の影響で、山あいの道路がいくつか通行止めになっています。",
        "彼女は窓を開けて、庭の金木犀が咲いているのに気がつきました。",
        "契約書の第十条によれば、違反した側は損害を賠償しなければなりません。",
        "毎日三十分歩くと、睡眠の質が良くなるという研究結果があります。",
    ),
    "korean": (
        "어제 오후 시청은 내년 봄부터 새로운 다리 공사를 시작한다고 발표했습니다.",
        "며칠 동안 계속된 큰비로 산간 도로 몇 곳이 통제되고 있습니다.",
        "그녀는 창문을 열고 마당에 꽃이 활짝 핀 것을 보았습니다.",
        "계약서 제십조에 따르면 위반한 쪽이 손해를 배상해야 합니다.",
        "매일 삼십 분씩 걸으면 수면의 질이 좋아진다는 연구 결과가 있습니다.",
    ),
}
SNIPPETS = (
    "func (s *Server) Close(ctx context.Context) error {\n\ts.mu.Lock()\n\tdefer s.mu.Unlock()\n"
    "\tfor _, c := range s.conns {\n\t\tif err := c.Close(); err != nil {\n\t\t\treturn err\n\t\t}\n\t}\n"
    "\treturn nil\n}\n",
    "export async function load({ params, fetch }) {\n  const res = await fetch(`/api/items/${params.id}`);\n"
    "  if (!res.ok) throw error(res.status, 'not found');\n  return { item: await res.json() };\n}\n",
    "SELECT c.name, COUNT(*) AS orders, SUM(o.total) AS revenue\nFROM customers c\n"
    "JOIN orders o ON o.customer_id = c.id\n"
    "WHERE o.created_at >= '2024-01-01' AND o.state = 'paid'\nGROUP BY c.name\nHAVING COUNT(*) > 3;\n",
    '{"id": "ord_1029", "lines": [{"sku": "A-77", "qty": 2, "price": 12.5}, {"sku": "B-03", "qty": 1, "price": 80}],\n'
    ' "address": {"street": "Mill Lane 4", "city": "Leeds", "zip": "LS1 4DY"}, "paid": true}\n',
    "public final class Range<T extends Comparable<T>> {\n    private final T low;\n    private final T high;\n\n"
    "    public boolean contains(T value) {\n        return low.compareTo(value) <= 0 && value.compareTo(high) < 0;\n"
    "    }\n}\n",
)
SIZES = (120, 250, 500, 1_000, 2_000, 5_000, 12_000)


def texts(kind: str, *, count: int, seed: int) -> list[str]:
    """`count` texts of a kind ("text", "code" or "cjk"), each of one language or topic, of varied size."""
    rng = Random(seed)
    return [_text(kind, rng.choice(SIZES), rng) for _ in range(count)]


def _text(kind: str, characters: int, rng: Random) -> str:
    if kind == "code":
        return _code(characters, rng)
    sentences = rng.choice(list((PROSE if kind == "text" else CJK).values()))
    joined = "" if kind == "cjk" else " "
    return joined.join(rng.choices(sentences, k=characters // 20))[:characters]


def _code(characters: int, rng: Random) -> str:
    """A stretch of a module of Python's library, or snippets of other languages one after the other."""
    if rng.random() < 0.5:
        return "".join(rng.choices(SNIPPETS, k=characters // 150 + 1))[:characters]
    source = rng.choice(_sources())
    start = rng.randrange(max(1, len(source) - characters))
    return source[start : start + characters]


@cache
def _sources() -> tuple[str, ...]:
    return tuple(getsource(module) for module in MODULES)
