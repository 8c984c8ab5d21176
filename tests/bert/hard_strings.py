"""Texts on which tokenizers disagree, by what is hard about them. Invisible characters are written as escapes."""

import random

_WORDS = ("unaffable", "transformers", "Straße", "naïve", "привет", "数据", "नमस्ते", "tokenization")


def _wrapped(characters: str) -> list[str]:
    """Each character inside a word, and alone between two."""
    return [text for char in characters for text in (f"ab{char}cd", f"ab {char} cd")]


def _shuffled(count: int) -> list[str]:
    """Characters of every script side by side, the same in every run."""
    dice = random.Random(20)
    alphabet = "abcXYZ019 .,-'_#[]äÖßñ\u0301\u0323\u200d\ufe0fςΣİıﬁ…ｆ中文ひカ한글กำअाعربعᎠⅣ½№™€😀🏽🇩𝐀\u00a0\u3000\t\n"
    return ["".join(dice.choices(alphabet, k=dice.randrange(1, 60))) for _ in range(count)]


HARD = {
    "nothing": ["", " ", "\n", "\t\r\n ", "\u00a0", "\u200b", "\x00", "\ufeff", "\u0301", "\u00ad\u200d\ufe0f"],
    "plain English": [
        "Hello, World!",
        "This is an example sentence",
        "Don't stop believin'; it's o'clock.",
        "The U.S.A. (est. 1776) -- e.g., i.e., etc...",
        "state-of-the-art   double  spaces ",
        " leading and trailing \n",
        "SHOUTING camelCase snake_case kebab-case PascalCase",
        "antidisestablishmentarianism supercalifragilisticexpialidocious",
        "ßtart end",
    ],
    "accents, composed and decomposed": [
        "Café crème brûlée à la carte",
        "Cafe\u0301 cre\u0300me bru\u0302le\u0301e",
        "Ångström A\u030angstro\u0308m \u212bngstrom",
        "Dvořák, Čapek, Škvorecký, Ľudovít Štúr",
        "Việt Nam: Nguyễn Thị Ánh Đào",
        "Vie\u0323\u0302t Nam vie\u0302\u0323t",
        "Łódź żółć gęślą jaźń ĄĆĘŁŃÓŚŹŻ",
        "Æsop œuvre Øresund đồng þorn ðe Ŋ ŉ",
        "e\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309",
        "Z\u0351\u036b\u0343\u036a\u0302a\u0334\u0335l\u0321\u0322g\u0323\u0324o\u0325\u0326",
        "\u0301starts with a mark",
        " \u0301 \u0308 ",
        "a\u0338b ≠ =\u0338 ≮",
        "ñandú nin\u0303o NIÑO NIN\u0303O",
        "ǆ ǅ Ǆ ǈ ǋ Ǳ ǲ",
        "ṩ s\u0323\u0307 s\u0307\u0323 \u1e69",
    ],
    "case": [
        "ὈΔΥΣΣΕΎΣ Ὀδυσσεύς ΣΑΣ σας ΣΣ Σ",
        "ΆΈΉΊΌΎΏ άέήίόύώ ΐ ΰ",
        "İstanbul ISTANBUL Iğdır ığdır ılık I\u0307",
        "STRASSE Straße STRAẞE ẞ ß",
        "ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ eﬃcient ﬁnd",
        "ЁЖИК ёжик Е\u0308ЖИК Й й И\u0306",
        "ԱՐԱՐԱՏ Արարատ և",
        "ⅧⅣ ⅷⅳ Ⓐⓑ ＡＢＣ ａｂｃ",
        "ᲐᲑᲒ აბგ ႠႡႢ ⴀⴁⴂ",
        "ᎠᎡᎢ ꭰꭱꭲ",
        "Ꙁꙁ Ꜳꜳ Ꝏꝏ Ɐ Ⱥ ⱥ",
        "𐐀𐐁 𐐨𐐩 𞤀𞤢",
        "ΑΙ\u0345 ᾳ ᾼ ᾲ",
    ],
    "Chinese, Japanese, Korean": [
        "中文分词",
        "我爱AI和NLP，2024年。",
        "日本語のテキスト、カタカナとひらがな。",
        "がぎぐげご か\u3099き\u3099 パピプ ハ\u309a",
        "ﾊﾝｶｸ ｶﾞｷﾞ ﾊﾟ ｡｢｣､･",
        "한국어 문장입니다.",
        "\u1112\u1161\u11ab\u1100\u116e\u11a8 한국",
        "ㄱㄴㄷ ㅏㅑ ᄀᄁ",
        "東京tower東京",
        "々〆〇ヶ〒㈱㌔㊙",
        "〈〉《》「」『』【】〔〕〖〗",
        "ㄅㄆㄇ ㆠ ꀀꀁ",
        "漢字kanji交じりmixed文",
    ],
    "ideographs beyond the common block": [
        "\u3400\u4dbf ext A",
        "\U00020000\U0002a6d6 ext B",
        "a\U00020bb7b野家",
        "\U0002a700\U0002b734 ext C",
        "\U0002b740\U0002b81d ext D",
        "\U0002b820\U0002cea1 ext E",
        "\U0002ceb0\U0002ebe0 ext F",
        "\U00030000\U0003134a ext G",
        "\uf900\ufa0e\ufa2d\ufa70 compatibility",
        "\U0002f800\U0002fa1d\U0002f9ff compatibility supplement",
        "豈更車",
        "⺀⺁⻳ ⼀⼁⿕ 〡〢〣",
        "葛\ufe00城 𠮟る",
    ],
    "emoji": [
        "I ❤️ NY 😀😃",
        "👨‍👩‍👧‍👦 family",
        "👩🏽‍💻 coding 👍🏿👍",
        "🇩🇪🇫🇷🇯🇵 flags",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f England",
        "1️⃣2️⃣#️⃣*️⃣",
        "word😀word😀",
        "☺ ☺️ ☹︎ ✌🏻",
        "🧑‍🚀🫠🫶🏾",
        "¯\\_(ツ)_/¯ (╯°□°)╯︵ ┻━┻",
        "🏳️‍🌈🏴‍☠️",
    ],
    "control and invisible characters": [
        "nul\x00in\x00side",
        "bell\x07 esc\x1b[31mred\x1b[0m del\x7f",
        "c1\x80\x85\x9f controls",
        "soft\u00adhyphen\u00adated",
        "zero\u200bwidth\u200cnon\u200djoiner\u2060word",
        "\ufeffbyte order mark\ufeff inside",
        "left\u200eto\u200fright \u202aembed\u202c \u2066isolate\u2069",
        "repl\ufffdacement",
        "private\ue000use\uf8ff\U000f0000\U0010fffd",
        "tags\U000e0001\U000e0041",
        "interlinear\ufff9a\ufffab\ufffb object\ufffc",
        "vertical\x0btab form\x0cfeed \x1c\x1d\x1e\x1f separators",
        "mongolian\u180evowel arabic\u061cmark",
        "variation\ufe00\ufe0e\ufe0fselectors \u034f joiner",
        "non\ufdd0char \ufffe \uffff \U0001fffe",
        "unassigned \u0378\u0379 \U0001fc00 \U0003ffff",
    ],
    "white space": [
        f"a{space}b"
        for space in "\t\n\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
        "\u2028\u2029\u202f\u205f\u3000\x85"
    ]
    + ["a\r\nb\r\rc\n\nd", "\u3000　ideographic　space　"],
    "other scripts": [
        "مرحبا بالعالم، كيف حالك؟",
        "العَرَبِيَّةُ مُشَكَّلَةٌ ـــ ﷺ ﻻ ﺏ",
        "شکریہ پاکستان ۱۲۳ ٤٥٦",
        "שָׁלוֹם עוֹלָם ״ציטוט״ ייִדיש",
        "\ufb2a\ufb4f הַבְּרָכָה",
        "नमस्ते दुनिया। क्षत्रिय श्री ॐ १२३",
        "ক্ষ বাংলা ৳ তামிழ் தமிழ் தெலுగు తెలుగు",
        "ಕನ್ನಡ മലയാളം සිංහල ਪੰਜਾਬੀ ગુજરાતી",
        "สวัสดีชาวโลก น้ำ ภาษาไทย ๑๒๓ ฯลฯ",
        "ພາສາລາວ မြန်မာ ខ្មែរ བོད་ཡིག།",
        "አማርኛ ፊደል። ᓀᐦᐃᔭᐍᐏᐣ ᚠᚢᚦ ⵜⵉⴼⵉⵏⴰⵖ",
        "ქართული Հայերեն, Ελληνικά; български",
        "ᠮᠣᠩᠭᠣᠯ ᜊᜌ᜔ᜊᜌᜒᜈ᜔ ꦗꦮ",
        "𒀀𒁀 𓀀𓁐 𐎀𐎁 𐤀𐤁 𑀅𑀓",
    ],
    "punctuation and symbols beside letters": [
        "(a)[b]{c}<d>\"e\"'f'`g`",
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
        "a$b€c£d¥e¢f₹g₿",
        "a+b=c×d÷e±f−g",
        "2²=4, x³, H₂O, 5‰, 90°, 6′4″",
        "“quotes” ‘single’ «guillemets» „low‟ ‹›",
        "en–dash em—dash figure‒dash horizontal―bar minus−",
        "ellipsis… dots... two‥",
        "bullet•point middle·dot ‧ ・",
        "¡Hola! ¿Qué tal? ‽ ⁇ ؟ ； ：",
        "§5 ¶6 †‡ © ® ™ № ℃ ℅",
        "←→⇒ ∀x∈ℝ ∃y ∑∏∫√∞ ≤≥≠≈",
        "a_b __init__ #hashtag @user",
        "─│┌┐ █▓▒░ ■□▲△",
        "♠♥♦♣ ♩♪♫ ⚀⚁ ☀☁☂",
        "„Straße“—naïve…“ﬁn”",
    ],
    "numbers, addresses and code": [
        "3.14159 1,234,567.89 1e-10 0xDEADBEEF",
        "½ ¼ ¾ ⅓ ⅝ ① ② ⑩ ❶ ➀ Ⅳ",
        "٣٫١٤ १२३ １２３ 𝟏𝟐𝟑 ௧௨",
        "https://www.example.com/path?q=a%20b&c=d#frag",
        "first.last+tag@sub.example.co.uk",
        "C:\\Users\\name\\file.txt /usr/local/bin",
        "if (x >= 10 && y != null) { return f(x)[0]; }",
        "2024-02-29T23:59:60Z +1 (555) 010-9999",
        "192.168.0.1 ::1 fe80::1%eth0",
        "#ff00ff v1.2.3-rc.1+build.5",
        "<div class='a'>&nbsp;&amp;</div>",
    ],
    "styled letters": [
        "𝐁𝐨𝐥𝐝 𝐼𝑡𝑎𝑙𝑖𝑐 𝕯𝖔𝖚𝖇𝖑𝖊 𝓢𝓬𝓻𝓲𝓹𝓽",
        "𝚖𝚘𝚗𝚘 𝒜ℬ𝒞 𝛼𝛽𝛾 𝚨𝚩",
        "Ｆｕｌｌｗｉｄｔｈ　ｔｅｘｔ！",
        "ˢᵘᵖᵉʳ ₛᵤᵦ ᴀʙᴄ ɐqɔ",
        "🄰🄱 🅰🅱 ⒜⒝ ⓐⓑ",
        "K K Ω Ω Å Å",
    ],
    "words at the limit of 100 characters": [
        text
        for letter in ("a", "é", "ж", "ก", "한", "𐐨", "😀", "z\u0301")
        for count in (99, 100, 101)
        for text in (letter * count, f"so {letter * count}, then")
    ]
    + ["a" * 50 + "-" + "b" * 120, "中" * 150, "x" * 400, "y" * 401, "." * 200],
    "characters inside and between words": _wrapped("'’‘.-_/·\u00ad\u200b\u0301中한😀½™\x00\x7f\ue000\u2028"),
    "brackets that are no special tokens": ["[CL S]", "[sep]", "[[UNK", "[ MASK ]", "<s></s>", "##ing", "## a ##"],
    "long mixtures": [" ".join(_WORDS * 12), "".join(_WORDS * 3), "，".join(_WORDS), *_shuffled(40)],
}
