"""Searches in twelve scripts: quotes of five characters, how many of the certain hits say them, and clean readings.

    python -m benchmarks.scripts
    python -m benchmarks.scripts --seed 2 --memes 100
    python -m benchmarks.scripts --read --memes 20 --queries 20

For each language a library is drawn of captions by its words, and indexed. The captions are sidecars, so no font and no
OCR is needed, and what is measured is the search: quotes in quotation marks and without, their first hit, and the share
of the certain hits that say what was asked. A quote is five characters anywhere where words have no spaces; elsewhere
it is whole words of five characters or more, from the beginning of one. What a meme says is found by comparing letters.
"Flagged" are the captions that would be listed as badly read if an engine read them with a confidence of .95.

With `--read` the captions are drawn with Debian's Noto fonts and read by the OCR engine, and the readings are indexed.
Then "read" is the share of the captions' characters that is read right, "clean" the share of captions in whose reading
at most one character in fifty is wrong, and "flagged" the share of these that would be listed as badly read. Quotes are
of clean readings; a hit is right if the drawn caption says the quote. A script without two clean readings in ten is one
that the engine cannot read, and has no figures of the search.
"""

from __future__ import annotations

import re
import tempfile
import unicodedata
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import mean

import regex
from PIL import Image
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from benchmarks.data import cache
from benchmarks.drawn_captions import read_caption
from benchmarks.harness import Benchmark, Report
from indexer.ocr.engines import Line, load_ocr_engine, quality_of
from indexer.pipeline import index_library
from indexer.stages.weigh_texts import BADLY_READ
from indexer.work.progress import SILENT
from search.catalogue import open_catalogue
from search.encoders.base import TextEncoder
from search.encoders.registry import export_text_encoder, load_text_encoder
from search.searcher import Searcher
from search.settings import Settings
from search.workspace import Workspace

BENCHMARK = Benchmark(
    __doc__, needs="nothing; with --read, Debian's fonts-noto-core and fonts-noto-cjk", takes="6 minutes"
)
BENCHMARK.option("--memes", 200, small=12, type=int, help="memes of each library")
BENCHMARK.option("--queries", 60, small=4, type=int, help="quotes of each library")
BENCHMARK.option("--seed", 1, type=int, help="draws other captions and quotes; the search was tuned on seed 1")
BENCHMARK.option("--languages", "", help="names, separated by commas; all by default")
BENCHMARK.parser.add_argument("--read", action="store_true", help="draw the captions and read them by OCR")
LETTERS = 5  # of a quote
READABLE = 0.2  # least share of clean readings of a script that the engine reads
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Language:
    """A language: common words, what stands between two, and whether the search was tuned on it."""

    script: str
    words: Sequence[str]
    space: str = " "
    tuned: bool = False


def _language(script: str, words: str, *, spaces: bool = True, tuned: bool = False) -> Language:
    return Language(script, words.split(), " " if spaces else "", tuned)


LANGUAGES: Mapping[str, Language] = {
    "English": _language(
        "Latin",
        "when your boss says work from home but the coffee "
        "machine is still broken nobody told me about monday morning "
        "again my cat thinks this meeting could have been an "
        "email while everyone else sleeps until noon and then asks "
        "what happened yesterday because they forgot every single password they ever made just like those dogs who "
        "chase cars without knowing why we keep paying for empty rooms instead of buying more cheese with friends",
        tuned=True,
    ),
    "Vietnamese": _language(
        "Latin",
        "khi sếp nói làm việc ở nhà nhưng máy cà phê vẫn hỏng không ai bảo tôi về sáng thứ hai lại nữa con mèo nghĩ "
        "rằng cuộc họp này đáng lẽ chỉ cần một bức thư trong lúc mọi người ngủ đến trưa rồi hỏi chuyện gì đã xảy ra "
        "hôm qua vì họ quên mật khẩu những con chó đuổi theo xe mà chẳng biết tại sao chúng ta trả tiền phòng trống "
        "thay vì mua thêm phở với bạn bè đừng buồn ngày mai trời sẽ nắng đẹp hơn",
        tuned=True,
    ),
    "Polish": _language(
        "Latin",
        "kiedy szef mówi że pracujemy z domu ale ekspres "
        "do kawy ciągle zepsuty nikt mi nie powiedział o poniedziałku "
        "rano znowu mój kot myśli że to spotkanie mogło być "
        "mailem podczas gdy wszyscy śpią do południa potem pytają co "
        "się stało wczoraj bo zapomnieli każde hasło jakie mieli "
        "te psy gonią samochody nie wiedząc dlaczego płacimy za "
        "puste pokoje zamiast kupować więcej sera z przyjaciółmi jutro będzie słońce żółw książka kobieta kobiety",
    ),
    "German": _language(
        "Latin",
        "wenn der Chef sagt wir arbeiten von zu Hause aber "
        "die Kaffeemaschine ist immer noch kaputt niemand hat mir vom "
        "Montagmorgen erzählt meine Katze denkt diese Besprechung hätte eine Nachricht sein können während alle bis "
        "mittags schlafen und dann fragen was gestern passiert "
        "ist weil sie jedes Kennwort vergessen haben diese Hunde "
        "jagen Autos ohne zu wissen warum wir für leere Zimmer bezahlen statt mehr Käse mit Freunden zu kaufen",
    ),
    "Russian": _language(
        "Cyrillic",
        "когда начальник говорит работать из дома но кофеварка всё ещё сломана никто не сказал мне про утро "
        "понедельника опять мой кот думает что эта встреча могла "
        "быть письмом пока все спят до обеда потом спрашивают "
        "что случилось вчера потому что забыли каждый пароль эти собаки гоняются за машинами не зная зачем мы платим "
        "за пустые комнаты вместо того чтобы купить больше сыра "
        "с друзьями завтра будет солнце кошка кошки холод голод",
        tuned=True,
    ),
    "Greek": _language(
        "Greek",
        "όταν το αφεντικό λέει να δουλέψουμε από το σπίτι αλλά η καφετιέρα είναι ακόμα χαλασμένη κανείς δεν μου είπε "
        "για το πρωί της Δευτέρας πάλι η γάτα μου νομίζει ότι αυτή συνάντηση θα μπορούσε μήνυμα ενώ όλοι κοιμούνται "
        "μέχρι το μεσημέρι μετά ρωτούν τι έγινε χθες επειδή ξέχασαν κάθε κωδικό αυτά τα σκυλιά κυνηγούν αυτοκίνητα "
        "χωρίς να ξέρουν γιατί πληρώνουμε άδεια δωμάτια αντί για περισσότερο τυρί με φίλους αύριο ήλιος",
    ),
    "Arabic": _language(
        "Arabic",
        "عندما يقول المدير اعملوا من البيت لكن آلة القهوة ما زالت معطلة لم يخبرني أحد عن صباح الاثنين مرة أخرى قطتي "
        "تظن أن هذا الاجتماع كان يمكن يكون رسالة بينما الجميع ينامون حتى الظهر ثم يسألون ماذا حدث أمس لأنهم نسوا كل "
        "كلمة سر هذه الكلاب تطارد السيارات دون معرفة لماذا ندفع ثمن غرف فارغة بدلا من شراء الجبن مع الأصدقاء غدا شمس",
        tuned=True,
    ),
    "Hebrew": _language(
        "Hebrew",
        "כאשר הבוס אומר לעבוד מהבית אבל מכונת הקפה עדיין שבורה אף אחד לא סיפר לי על בוקר יום שני שוב החתול שלי חושב "
        "שהפגישה הזאת יכלה להיות הודעה בזמן שכולם ישנים עד הצהריים ואז שואלים מה קרה אתמול כי שכחו כל סיסמה הכלבים "
        "האלה רודפים אחרי מכוניות בלי לדעת למה אנחנו משלמים חדרים ריקים במקום לקנות יותר גבינה עם חברים מחר שמש",
    ),
    "Hindi": _language(
        "Devanagari",
        "जब मालिक कहता है घर से काम करो लेकिन कॉफ़ी की मशीन अभी भी खराब किसी ने मुझे सोमवार सुबह के बारे में नहीं "
        "बताया फिर मेरी बिल्ली सोचती यह बैठक एक चिट्ठी हो सकती थी जबकि सब दोपहर तक सोते हैं फिर पूछते कल क्या हुआ "
        "क्योंकि वे हर पासवर्ड भूल गए ये कुत्ते गाड़ियों का पीछा "
        "करते बिना जाने क्यों हम खाली कमरों के पैसे देते दोस्तों "
        "साथ ज़्यादा पनीर खरीदना धूप निकलेगी",
    ),
    "Thai": _language(
        "Thai",
        "เมื่อ หัวหน้า บอกว่า ทำงาน ที่บ้าน แต่ เครื่อง กาแฟ ยัง เสีย อยู่ ไม่มี ใคร บอก ฉัน เรื่อง เช้า วันจันทร์ "
        "อีกแล้ว แมว ของฉัน คิดว่า ประชุม นี้ น่าจะ เป็น จดหมาย "
        "ขณะที่ ทุกคน นอน ถึง เที่ยง แล้ว ถามว่า เกิด อะไรขึ้น "
        "เมื่อวาน เพราะ ลืม รหัสผ่าน หมา วิ่ง ไล่ รถ โดย ไม่รู้ "
        "ทำไม เรา จ่าย ค่า ห้อง ว่าง แทน ซื้อ น้ำแข็ง กับ เพื่อน",
        spaces=False,
        tuned=True,
    ),
    "Chinese": _language(
        "Han",
        "老板 说 在家 工作 但是 咖啡机 还是 坏的 没有人 告诉 我 "
        "星期一 早上 又 来了 我的 猫 觉得 这个 会议 可以 写成 邮件 "
        "大家 睡到 中午 然后 问 昨天 发生 什么 因为 他们 忘记 "
        "所有 密码 那些 狗 追 汽车 不知道 为什么 我们 付钱 空房间 "
        "不如 多买 奶酪 和 朋友 明天 太阳 出来 笑死 加班 摸鱼 表情包 天气 真好 下雨 吃饭",
        spaces=False,
        tuned=True,
    ),
    "Japanese": _language(
        "Kana",
        "上司が 在宅で 働けと いうけど コーヒーメーカーは まだ こわれた "
        "だれも 月曜の 朝を 教えて くれない また うちの "
        "ねこは この 会議 メールで よかったと 思う みんな "
        "昼まで ねて それから きのう なにが あったか きく パスワードを "
        "ぜんぶ 忘れた 犬は 車を 追いかける なぜか 知らない "
        "空き部屋に お金を はらう チーズを 友だちと 買う あしたは 晴れ",
        spaces=False,
    ),
    "Korean": _language(
        "Hangul",
        "사장님이 집에서 일하라고 하는데 커피머신은 아직도 고장 "
        "아무도 월요일 아침을 말해주지 않았다 다시 고양이는 이 "
        "회의가 메일이면 됐다고 생각한다 모두 점심까지 자고 나서 어제 무슨 일이 있었는지 묻는다 비밀번호를 전부 "
        "잊어버렸기 때문에 강아지들은 자동차를 쫓는다 왜 우리는 빈방에 돈을 내는가 치즈를 친구들과 사자 내일은 맑음",
    ),
}


def captions(language: Language, *, count: int, random: Random) -> list[str]:
    """Return drawn captions of 6 to 12 words."""
    return [language.space.join(random.choices(language.words, k=random.randint(6, 12))) for _ in range(count)]


def quote_from(caption: str, language: Language, random: Random) -> str:
    """Return five characters of a caption; whole words of as many where words have spaces."""
    if not language.space:
        letters = regex.findall(r"\X", caption)
        start = random.randrange(max(1, len(letters) - LETTERS + 1))
        return "".join(letters[start : start + LETTERS])
    words = caption.split()
    first = random.randrange(len(words))
    last = first + 1
    while last < len(words) and sum(map(len, words[first:last])) < LETTERS:
        last += 1
    return " ".join(words[first:last])


def plain(text: str) -> str:
    """Return a text as letters are compared: composed, in one case."""
    return unicodedata.normalize("NFC", text.casefold())


def says(caption: str, quote: str, language: Language) -> bool:
    """Whether a caption has a quote, letter by letter; between words where words have spaces."""
    if not language.space:
        return plain(quote) in plain(caption)
    return f" {plain(quote)} " in f" {plain(caption)} "


def holds(caption: str, quote: str, language: Language) -> bool:
    """Whether a caption has what a query without quotation marks asks for: its words, wherever they stand.

    English words that only join others ask for nothing where there are others, by scikit-learn's list, not by ours.
    """
    if not language.space:
        return says(caption, quote, language)
    asked = set(plain(quote).split())
    joining = asked & ENGLISH_STOP_WORDS if language is LANGUAGES["English"] else set()
    return (asked - joining or asked) <= set(plain(caption).split())


def build(folder: Path, texts: Sequence[str], encoder: TextEncoder) -> Workspace:
    """Draw a library with these captions and index it."""
    library = folder / "memes" / "Drawn"
    library.mkdir(parents=True)
    for number, text in enumerate(texts):
        file = library / f"{number:04}.png"
        Image.new("RGB", (64, 48), (number % 256, number // 256 * 40, 90)).save(file)
        file.with_name(f"{file.name}.txt").write_text(text, "utf-8")
    settings = Settings(data=folder / "data", library=folder / "memes", ocr_engine="none", image_encoder="")
    workspace = Workspace(settings, open_catalogue(settings))
    index_library(workspace, progress=SILENT, load_encoder=lambda _: encoder)
    return workspace


@dataclass(frozen=True)
class Measured:
    """Of a library's quotes: first hits that say them, and certain hits that do, of all certain hits."""

    first: float
    right: int
    certain: int

    @property
    def precision(self) -> float:
        """The share of the certain hits that are right; 1 without any."""
        return self.right / self.certain if self.certain else 1.0


def measured(
    searcher: Searcher, texts: Sequence[str], quotes: Sequence[str], language: Language, *, quoted: bool
) -> Measured:
    """Return how quotes are answered, in quotation marks or without."""
    first, right, certain = [], 0, 0
    judge = says if quoted else holds
    for quote in quotes:
        answer = searcher.search(f'"{quote}"' if quoted else quote, k=len(texts))
        correct = [judge(texts[int(re.sub(r"\D", "", hit.meme.name))], quote, language) for hit in answer]
        first.append(bool(correct) and correct[0])
        right += sum(correct[: answer.total])
        certain += answer.total
    return Measured(mean(first), right, certain)


def measure(given: Namespace, report: Report) -> None:
    """Print a row for each language."""
    read_columns = {"read": ".3f", "clean": ".2f"} if given.read else {}
    table = report.table(
        "quotes of five characters",
        {
            "language": "",
            "script": "",
            "tuned on": "",
            **read_columns,
            "quoted: recall@1": ".3f",
            "precision": ".3f",
            "bare: recall@1": ".3f",
            "precision, bare": ".3f",
            "certain": ",d",
            "flagged": ".3f",
        },
    )
    models = Settings(data=cache() / "models-for-scripts")
    models.data.mkdir(parents=True, exist_ok=True)
    export_text_encoder(models)
    encoder = load_text_encoder(models)
    engine = load_ocr_engine(Settings()) if given.read else None
    chosen = given.languages.split(",") if given.languages else list(LANGUAGES)
    for name in chosen:
        language = LANGUAGES[name]
        random = Random(f"{given.seed} {name}")
        texts = captions(language, count=given.memes, random=random)
        shown, known = texts, texts
        about: list[float] = []
        if engine is not None:
            read = [read_caption(engine, text, language.script, space=language.space) for text in texts]
            shown = [one.text for one in read]
            known = [text for text, one in zip(texts, read, strict=True) if one.is_clean]
            qualities = [one.quality for one in read if one.is_clean]
            about = [mean(one.right for one in read), len(known) / len(texts)]
        else:
            qualities = [quality_of([Line(text, CONFIDENCE, ())]) for text in texts]
        tuned = "yes" if language.tuned and given.seed == 1 else "no"
        if len(known) < READABLE * len(texts):
            table.row(name, language.script, tuned, *about, None, None, None, None, None, None)
            continue
        quotes = [quote_from(random.choice(known), language, random) for _ in range(given.queries)]
        with (
            tempfile.TemporaryDirectory(prefix="memetica-scripts-") as folder,
            build(Path(folder), shown, encoder) as workspace,
        ):
            searcher = Searcher(workspace, text_encoder=encoder)
            quoted = measured(searcher, texts, quotes, language, quoted=True)
            bare = measured(searcher, texts, quotes, language, quoted=False)
            searcher.close()
        table.row(
            name,
            language.script,
            tuned,
            *about,
            quoted.first,
            quoted.precision,
            bare.first,
            bare.precision,
            quoted.certain + bare.certain,
            mean(quality < BADLY_READ for quality in qualities),
        )


if __name__ == "__main__":
    raise SystemExit(BENCHMARK.run(measure))
