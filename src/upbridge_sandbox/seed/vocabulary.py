"""The words that a made-up clothes shop and its made-up shoppers are made of."""

#: cs, sk, en, sizes, usual price in CZK, VAT
GARMENTS: tuple[tuple[str, str, str, tuple[str, ...], int, int], ...] = (
    ("Tričko", "Tričko", "T-shirt", ("S", "M", "L", "XL"), 390, 21),
    ("Mikina", "Mikina", "Hoodie", ("S", "M", "L", "XL"), 990, 21),
    ("Košile", "Košeľa", "Shirt", ("38", "40", "42", "44"), 1190, 21),
    ("Kalhoty", "Nohavice", "Trousers", ("30/32", "32/32", "34/32", "36/34"), 1490, 21),
    ("Šaty", "Šaty", "Dress", ("34", "36", "38", "40"), 1790, 21),
    ("Bunda", "Bunda", "Jacket", ("S", "M", "L", "XL"), 2990, 21),
    ("Svetr", "Sveter", "Sweater", ("S", "M", "L"), 1290, 21),
    ("Sukně", "Sukňa", "Skirt", ("34", "36", "38"), 890, 21),
    ("Ponožky", "Ponožky", "Socks", ("39-42", "43-46"), 129, 21),
    ("Body pro miminko", "Body pre bábätko", "Baby bodysuit", ("62", "68", "74"), 249, 21),
)
#: what has neither colour nor size; books carry the lower VAT
ACCESSORIES: tuple[tuple[str, str, str, int, int], ...] = (
    ("Čepice", "Čiapka", "Beanie", 349, 21),
    ("Opasek", "Opasok", "Belt", 590, 21),
    ("Taška", "Taška", "Tote bag", 299, 21),
    ("Kniha o látkách", "Kniha o látkach", "Book about cloth", 450, 12),
    ("Šátek", "Šatka", "Scarf", 420, 21),
)
ADJECTIVES: tuple[tuple[str, str, str], ...] = (
    ("Borový", "Borový", "Pine"),
    ("Říční", "Riečny", "River"),
    ("Lněný", "Ľanový", "Linen"),
    ("Vlněný", "Vlnený", "Wool"),
    ("Horský", "Horský", "Mountain"),
    ("Městský", "Mestský", "City"),
    ("Zimní", "Zimný", "Winter"),
    ("Letní", "Letný", "Summer"),
    ("Tichý", "Tichý", "Quiet"),
    ("Žitný", "Ražný", "Rye"),
    ("Modřínový", "Smrekovcový", "Larch"),
)
#: cs, sk, en, letters for codes
COLOURS: tuple[tuple[str, str, str, str], ...] = (
    ("černá", "čierna", "black", "BLK"),
    ("bílá", "biela", "white", "WHT"),
    ("lahvově zelená", "fľaškovo zelená", "bottle green", "GRN"),
    ("cihlová", "tehlová", "brick", "BRC"),
    ("půlnočně modrá", "polnočná modrá", "midnight", "MID"),
)
MAKERS = ("Přádelna Úpa", "Tkalcovna Morava", "Nit & Syn", "Dílna Severka")
CATEGORIES = (
    (111, "K00002", "Dámské"),
    (112, "K00003", "Pánské"),
    (113, "K00004", "Děti"),
    (114, None, "Doplňky"),
)

FIRST_NAMES = (
    "Jan",
    "Eva",
    "Petr",
    "Jana",
    "Tomáš",
    "Lucie",
    "Martin",
    "Hana",
    "Jiří",
    "Žofie",
    "Ondřej",
    "Klára",
)
SURNAMES = (
    "Novák", "Svobodová", "Dvořák", "Černá", "Procházka", "Kučerová", "Veselý", "Horáková", "Němec", "Marková",
    "Pokorný", "Králová", "Růžička", "Benešová", "Fiala", "Sedláčková", "Doležal", "Zemanová", "Kolář", "Vaňková",
)  # fmt: skip
STREETS = ("Dlouhá", "Na Příkopě", "Lipová", "Školní", "U Mlýna", "Hlavní", "Zahradní", "Sokolovská")
TOWNS = (
    ("Praha", "11000", "cz"), ("Brno", "60200", "cz"), ("Olomouc", "77900", "cz"), ("Liberec", "46001", "cz"),
    ("Bratislava", "81101", "sk"), ("Košice", "04001", "sk"), ("Wien", "1010", "at"),
)  # fmt: skip
