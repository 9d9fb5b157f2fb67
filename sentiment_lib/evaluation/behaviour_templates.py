"""Words and templates from which :mod:`sentiment_lib.evaluation.behaviour` makes the cases of the behavioural tests.

All sentences are ours. A name in braces is a slot that is filled with every word of the list of that name; "a" before
a slot becomes "an" where needed.
"""

# Words for the slots. "mild" words can be negated without becoming ambiguous: "not a brilliant film" may still be fine.
WORDS: dict[str, tuple[str, ...]] = {
    "praise": ("wonderful", "excellent", "brilliant", "moving", "delightful", "superb", "gripping", "charming"),
    "blame": ("terrible", "dull", "awful", "tedious", "pointless", "clumsy", "dreadful", "lifeless"),
    "mild praise": ("good", "interesting", "convincing", "clever", "original", "memorable"),
    "mild blame": ("bad", "boring", "dull", "silly", "predictable", "tedious"),
    "very": ("really", "truly", "incredibly", "thoroughly", "absolutely", "utterly"),
    "part": ("acting", "music", "camera work", "dialogue"),
    "loved": ("loved", "adored", "admired", "enjoyed"),
    "hated": ("hated", "despised", "loathed", "detested"),
    "other people": ("The critics", "My friends", "The newspapers", "Most people"),
}

# Capability -> (what is tested, negative templates, positive templates); each is a minimum functionality test.
MINIMUM: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "plain words": (
        "says what a plain sentence says",
        ("This is a {blame} film.", "The whole story is {blame}.", "I {hated} every minute of it."),
        ("This is a {praise} film.", "The whole story is {praise}.", "I {loved} every minute of it."),
    ),
    "emphasis": (
        "is not confused by an adverb of degree",
        ("It is {very} {blame}.", "A {very} {blame} evening at the cinema."),
        ("It is {very} {praise}.", "A {very} {praise} evening at the cinema."),
    ),
    "negated praise": (
        "hears a negation before a word of praise",
        (
            "This is not a {mild praise} film.",
            "The {part} is not {mild praise} at all.",
            "Nothing about this film is {mild praise}.",
            "It isn't {mild praise}, and it never was.",
        ),
        (),
    ),
    "negated blame": (
        "hears a negation before a word of blame",
        (),
        (
            "This film is never {mild blame}.",
            "The {part} is not {mild blame} at all, quite the opposite.",
            "There is not one {mild blame} minute in it.",
            "It isn't {mild blame} for a second.",
        ),
    ),
    "distant negation": (
        "hears a negation that stands far from the word it turns",
        (
            "I do not think that anybody who has seen it would call it {mild praise}.",
            "Nobody in the audience that night seemed to find it {mild praise}.",
            "It would be hard to find a single scene that is {mild praise}.",
        ),
        (
            "I do not think that anybody who has seen it would call it {mild blame}.",
            "Nobody in the audience that night seemed to find it {mild blame}.",
            "It would be hard to find a single scene that is {mild blame}.",
        ),
    ),
    "but": (
        "lets the clause after 'but' decide",
        ("The {part} is {mild praise}, but the film as a whole is {blame}.",),
        ("The {part} is {mild blame}, but the film as a whole is {praise}.",),
    ),
    "although": (
        "lets the main clause decide, not the one after 'although'",
        ("Although the {part} is {mild praise}, I {hated} this film.",),
        ("Although the {part} is {mild blame}, I {loved} this film.",),
    ),
    "change over time": (
        "knows that now counts, and not once",
        (
            "I used to love this director, but this film is {blame}.",
            "At first I found it {praise}. By the end I found it {blame}.",
        ),
        (
            "I used to hate this director, but this film is {praise}.",
            "At first I found it {blame}. By the end I found it {praise}.",
        ),
    ),
    "whose opinion": (
        "takes the writer's opinion, not the one that is quoted",
        ("{other people} called it {praise}. I found it {blame}.",),
        ("{other people} called it {blame}. I found it {praise}.",),
    ),
    "comparison": (
        "sees which of two films is praised",
        ("The first part was {praise}. This one is far worse.", "Watch the {praise} original instead of this."),
        ("The first part was {blame}. This one is far better.", "Unlike the {blame} original, this is worth seeing."),
    ),
    "disappointed hope": (
        "tells expectation from outcome",
        ("I had hoped for a {praise} film and got a {blame} one.", "It could have been {praise}. It is not."),
        ("I was afraid it would be {blame}. It is not.", "I had expected a {blame} film and got a {praise} one."),
    ),
}

# Short reviews for invariance and direction; {person} and {place} are filled with the names below.
REVIEWS: tuple[str, ...] = (
    "{person} gives the best performance of the year.",
    "{person} looks as bored as I was.",
    "The scenes with {person} save a story that drags.",
    "A warm little film, and {person} is at the heart of it.",
    "Even {person} cannot rescue this script.",
    "I would watch {person} read a menu, and here it came close to that.",
    "{person} and a clever script make this a pleasure.",
    "Two hours of {person} shouting, and not one joke that works.",
    "Set in {place}, it is a quiet and beautiful story.",
    "A lazy thriller that was shot in {place} for no reason.",
    "The trip through {place} is fun from start to finish.",
    "{place} has never looked so dull on a screen.",
    "A family from {place} loses everything, and we feel every bit of it.",
    "It wants to say something about {place} and says nothing.",
)
PEOPLE = (
    *("John Miller", "Mary Evans", "Ravi Sharma", "Chen Wei"),
    *("Fatima Hassan", "Kwame Mensah", "Olga Petrova", "Diego Torres"),
)
PLACES = ("London", "Ohio", "Lagos", "Mumbai", "Seoul", "Cairo", "Warsaw", "Bogota")

PLAIN_REVIEWS: tuple[str, ...] = (
    "The story is simple and told with great care.",
    "The ending does not make up for the first hour.",
    "It is a sweet comedy that does not ask for much.",
    "The jokes are old and the story is thin.",
    "It is not the film that I had hoped for.",
    "The pictures are lovely and the music is better still.",
    "This sequel does not have a single new idea.",
    "Everybody in the cinema was laughing, and so was I.",
    "The plot is a mess and the people in it are cardboard.",
    "It is one of those rare films that you want to see again at once.",
    "I was not able to care about anybody in it.",
    "A small story about small people that is not small at all.",
    "The fights are well filmed and the rest is not worth your time.",
    "It is a long film that does not feel long.",
    "The children in the film are wonderful to watch.",
    "Nothing happens, and it happens very slowly.",
)
ADDITIONS = ("I saw it on a Tuesday.", "It lasts about two hours.", "It is in colour.")
PRAISE_SENTENCES = ("I loved it.", "It is one of the best films of the year.", "Go and see it, it is wonderful.")
BLAME_SENTENCES = ("I hated it.", "It is one of the worst films of the year.", "Stay at home, it is awful.")
CONTRACTIONS = (
    *(("is not", "isn't"), ("does not", "doesn't"), ("do not", "don't"), ("was not", "wasn't")),
    *(("It is ", "It's "), ("that is ", "that's "), ("I had ", "I'd ")),
)
DIRECTORS: tuple[str, ...] = (
    "The director knows what {he} wants, and {he} gets it.",
    "The director has lost {his} touch.",
    "This is {his} third film, and {his} best.",
    "{He} directs as if {he} had somewhere else to be.",
    "The young director fills every scene with {his} love of the theatre.",
    "{He} wrote the script {himself}, which explains a lot, and excuses nothing.",
    "{His} camera finds beauty where nobody else would look.",
    "Someone should have told {him} that it is an hour too long.",
    "{He} makes the simple story of {his} parents into something great.",
    "The director repeats {himself}, and not one joke works the second time.",
    "Give {him} a bigger budget and more films like this, please.",
    "What a waste of {his} talent.",
    "{He} tells it with patience and with humour.",
    "{His} dialogue sounds like a manual.",
    "I will watch whatever {he} makes next.",
    "{He} has no idea what to do with the last half hour.",
)
