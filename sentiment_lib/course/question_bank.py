"""All quiz questions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    name : str
        Lesson and letter, such as ``"04.a"``.
    text : str
        Plain text.
    options : tuple of (str, bool, str)
        What can be chosen, whether it is right, and why or why not.
    """

    name: str
    text: str
    options: tuple[tuple[str, bool, str], ...]

    @property
    def multiple(self) -> bool:
        """Whether more than one option is right."""
        return sum(right for _, right, _ in self.options) > 1


QUESTIONS: list[Question] = []


def question(name: str, text: str, *options: tuple[str, bool, str]) -> None:
    """Add a question."""
    QUESTIONS.append(Question(name, text, options))


def right(text: str, reason: str) -> tuple[str, bool, str]:
    """An option that is right, and why."""
    return text, True, reason


def wrong(text: str, reason: str) -> tuple[str, bool, str]:
    """An option that is wrong, and why."""
    return text, False, reason


question(
    "00.a",
    'The model calls every sentence with "not" negative. So on the pairs of this lesson it is right on each "not good" '
    'and wrong on each "not bad". What follows?',
    wrong(
        'It has learned that "not" reverses the meaning.',
        'Then "not bad" would be positive. It is right on "not good" for another reason.',
    ),
    right(
        'To this model, "not" is itself a sign of a bad review.',
        'That explains both rows of the table: with "not" the answer is negative, whatever word follows.',
    ),
    wrong(
        'It does not read the word "not".',
        'Then "not good" would get the answer of "good". Adding "not" changes the answer for every word of praise.',
    ),
    right(
        'Being right on "not good" is no evidence that it understands negation.',
        "A shortcut gives the same answer there. Only the other half of the pairs tells the two apart.",
    ),
)

question(
    "00.b",
    "You change the training and want to know whether the model has become better at negation. Which number do "
    "you compare?",
    wrong(
        'How many sentences with "not" it gets right',
        "A model that calls all of them negative gets half of them right, and so does one that calls all of them "
        "positive.",
    ),
    right(
        "How many pairs it gets right on both sides",
        'Both answers have to be right, so neither a constant answer nor ignoring "not" can win.',
    ),
    wrong(
        "The accuracy on all reviews",
        "Few reviews depend on a negation, so this number hardly changes, whatever the model does with negation.",
    ),
)

question(
    "00.c",
    "The same five cells with a network of the same size whose weights are all random: what do you expect after three "
    "passes over a few hundred sentences?",
    right(
        "Little better than tossing a coin: a few hundred labels are not enough to learn English.",
        "What the pre-trained network knows about words is what makes so few labels enough.",
    ),
    wrong(
        "The same, only slower, since the training is the same.",
        "The training is the same, but it starts from nothing; it would need far more text than there is.",
    ),
    wrong(
        "An error, because a tokenizer only works with its own weights.",
        "A tokenizer turns text into numbers whatever the weights are. Nothing fails, and nothing much is learned.",
    ),
)

question(
    "01.a",
    "A published test split has a review that is also in the training split. What is the harm, and what do you do?",
    right(
        "The test result may be too good; the review leaves training.",
        "A model can recite what it has seen, and the test split stays the one that others report on.",
    ),
    wrong(
        "The test result may be too good; the review leaves test.",
        "The harm is right, but on another test split your number cannot be compared with those of others.",
    ),
    wrong(
        "Training takes longer; either copy may go.",
        "One more review costs next to nothing in training. What suffers is the test result.",
    ),
    wrong(
        "There is none if both copies have the same label.",
        "The same label is what makes reciting pay: the remembered answer is then the right one.",
    ),
)

question(
    "01.b",
    "For which of these do you use the validation split?",
    right("To choose the epoch whose checkpoint is kept", "Choosing between versions of the model is what it is for."),
    right("To choose the learning rate", "Every setting that is chosen by its results is chosen on validation."),
    right("To choose the threshold between negative and positive", "A threshold is a choice like the others."),
    wrong(
        "To report how good the chosen model is",
        "It was used for the choice, so its result is too good. Reporting is the job of the test split.",
    ),
)

question(
    "01.c",
    "A file of 25,000 reviews is sorted by label, half and half. Which 1,000 of them can you try things out on?",
    wrong("The first 1,000", "All have one label: the loss looks splendid, and nothing is learned about the other."),
    wrong("The first 1,000, shuffled afterwards", "That changes their order, and not which reviews they are."),
    right("1,000 drawn at random", "Their labels have nearly the same proportion as in the file."),
    right(
        "500 drawn at random from each label",
        "This keeps the proportion of the file, half and half; `train_size` keeps whatever proportion there is.",
    ),
)

question(
    "02.a",
    "On the same reviews BERT has an accuracy of 0.86 and a well-tuned word count one of 0.85. Nothing else is "
    "known. "
    "What may you conclude?",
    right(
        "Most of what BERT gets right needs no BERT.",
        "The word count gets nearly as many right, and it knows nothing about the order of words.",
    ),
    wrong(
        "BERT is the better choice, because it is ahead.",
        "One point may be luck, and it may cost more than it is worth.",
    ),
    wrong(
        "Both make the same mistakes.",
        "Two methods with the same accuracy can be wrong about different reviews; the accuracies do not tell.",
    ),
    right(
        "An interval of the difference is needed before anybody says which one is better.",
        "Both were measured on the same reviews, so the difference can be known better than either accuracy.",
    ),
)

question(
    "02.b",
    "A TF-IDF model counts single words. Which pairs are the same text to it?",
    right("Good, not bad. / Bad, not good.", "The same words occur as often; only their order says which is negated."),
    wrong("A good film. / Not a good film.", 'The second has the word "not", which has a weight of its own.'),
    right("The cast saves the plot. / The plot saves the cast.", "Only the order says who saves whom."),
    wrong("A dull film. / A tedious film.", "Two words are two columns, however close their meanings are."),
)

question(
    "02.c",
    "On the same reviews one method has an accuracy of 0.80 (0.77 to 0.83), another 0.77 (0.74 to 0.79). What follows?",
    wrong(
        "They are equally good, because the intervals overlap.",
        "What is hard for one is hard for the other, so the difference can be known better than the two "
        "intervals suggest.",
    ),
    wrong("The first is better, because its accuracy is higher.", "Other reviews of this kind might turn this around."),
    right(
        "Nothing yet: an interval of the difference is needed.",
        "Both read the same reviews, so compare them review by review.",
    ),
)

question(
    "03.a",
    "Why does the learning rate rise over the first tenth of the steps?",
    right(
        "The first steps would be of full size, in directions that mean little yet.",
        "AdamW's first steps are large whatever the gradients are; while the head is random, small steps do less "
        "damage.",
    ),
    wrong(
        "To try several rates and keep the best one",
        "Nothing is compared: rise and fall are fixed before the first step.",
    ),
    wrong(
        "To guard against overfitting",
        "Overfitting comes from seeing the same reviews again; the warm-up is about the first steps.",
    ),
    wrong("To save time while little is learned", "A step takes as long with a small rate as with a large one."),
)

question(
    "03.b",
    "At the end of the first epoch the training loss drops steeply within a few steps. The validation loss does not "
    "drop. Which are true?",
    right(
        "From here on, the model is trained on reviews that it has seen before.",
        "In the first epoch each training loss is measured on new reviews; in the second, on reviews already "
        "learned from.",
    ),
    right(
        "The drop measures memory, and not only skill.",
        "Skill would show on validation as well. What shows on training reviews alone is what the model "
        "remembers of them.",
    ),
    wrong(
        "The learning rate was raised there.",
        "It only falls after the warm-up, and it falls evenly.",
    ),
    wrong(
        "The first epoch was a waste, since the loss hardly fell in it.",
        "In the first epoch, the loss on new reviews fell from ln 2 to this value. That is what the model has learned "
        "about reviews in general.",
    ),
)

question(
    "03.c",
    "Reviews of 12 and of 60 tokens share a batch that is padded to 60. Which are true?",
    wrong("The attention mask cuts off what is too long.", "That is truncation; the mask hides what was filled up."),
    right(
        "With the mask, the short one gets the answer that it would get alone.",
        "No token looks at padding, so it changes nothing beyond rounding.",
    ),
    right(
        "The padding still costs time.",
        "It is computed like any other token, so batches of similar length are faster.",
    ),
    wrong(
        "Without the mask nothing changes, because [PAD] has no meaning.",
        "Real tokens would look at it, and its vectors would be mixed into the answer.",
    ),
)

question(
    "04.a",
    "A confusion matrix has 930 / 140 in its first row (negative reviews) and 120 / 920 in its second. What is the "
    "recall of the positive class?",
    wrong("920 / (920 + 140)", "That is the precision: it divides by what was called positive."),
    right("920 / (920 + 120)", "Of the 1,040 positive reviews, 920 were found."),
    wrong("(930 + 920) / 2110", "That is the accuracy, over both classes."),
)

question(
    "04.b",
    "Accuracy on 2,000 test reviews is 0.860, with a 95 % interval from 0.845 to 0.875. What is right?",
    right(
        "Other test reviews of this kind would give a slightly different number.",
        "So the interval says where the accuracy over all reviews of this kind plausibly lies.",
    ),
    wrong(
        "Trained with another seed, the model would land in it 95 times in 100.",
        "The luck of the seed is not in it; only further seeds can show that.",
    ),
    right(
        "Half the width takes about four times as many reviews.",
        "The width goes with one over the root of their number.",
    ),
    wrong("It holds for reviews of books as well.", "Reviews of another kind were never drawn."),
)

question(
    "04.c",
    "You choose a threshold for a precision of at least 0.9, and you fit a temperature, which comes out above 1. "
    "What holds?",
    right("Both are found on validation, and test shows what they are worth.", "They are choices like any other."),
    wrong(
        "On test the precision is 0.9 or more, for that was the aim.",
        "The promise was kept where it was made; on other reviews it holds only approximately.",
    ),
    wrong(
        "The temperature makes the model more often right.",
        "All logits are divided by one positive number: none changes its sign, so no answer changes at one half.",
    ),
    right("The temperature makes a model that is too sure less sure.", "All probabilities move towards one half."),
)

question(
    "05.a",
    "The table of slices has 12 rows. The worst one has an accuracy of 0.75 on 40 reviews; all test reviews together "
    "have 0.86. Its p, corrected for 12 slices, is 0.7. What may you conclude?",
    wrong(
        "The model is bad on this kind of review.",
        "Of 12 slices one is the worst, also where nothing differs; with 40 reviews it may easily be this low.",
    ),
    right(
        "Nothing yet: collect more reviews of this kind and look again.",
        "The slice is a hypothesis now. Other reviews can test it.",
    ),
    wrong(
        "The model is as good on this kind of review as on others.",
        "40 reviews are too few to rule out that it is much worse. Not decided is not the same as equal.",
    ),
    right(
        "An uncorrected p would have been too small.",
        "This slice was picked because it is the worst, and the correction allows for that.",
    ),
)

question(
    "05.b",
    "Confident learning lists 300 of 7,000 training labels as suspicious. What is sensible?",
    right(
        "Read some of them before anything else.",
        "The list holds wrong labels, irony and reviews that the model does not understand. Only reading tells.",
    ),
    wrong(
        "Delete all of them.",
        "Hard reviews with correct labels go as well, and the model never learns them.",
    ),
    wrong(
        "Give all of them the other label.",
        "Then the labels repeat what the model thinks, its mistakes included.",
    ),
    right(
        "Train with and without the labels that you corrected, and compare on test reviews.",
        "Whether cleaning helps is an experiment like any other, and test labels are not changed for it.",
    ),
)

question(
    "05.c",
    "A model passes all 50 cases of *negated praise* (*not good* is negative). Which further result would show that it "
    "treats every negation as blame?",
    wrong(
        "It also passes *plain words* (*good* is positive).",
        "A model that understands negation passes these as well.",
    ),
    right(
        "It fails *negated blame* (*not bad* is positive).",
        "There, understanding and shortcut give different answers. This is why failures are counted by label.",
    ),
    wrong(
        "It fails when a name is replaced by another.",
        "That is a fault too, but it has nothing to do with negations.",
    ),
    right(
        "It calls *There is nothing wrong with this film* negative.",
        "A reader calls it positive, and the shortcut sees a negation and a word of blame.",
    ),
)

question(
    "06.a",
    "In the map of a head, the row of 'bad' has 0.7 in the column of 'not'. How is that read?",
    wrong("The other tokens together give 0.3 to 'not'.", "That would be its column, and columns need not sum to 1."),
    right(
        "In this head, 'bad' gets 70 % of what it gathers from 'not'.",
        "The weights of a row sum to 1 and say where its token gets information from.",
    ),
    wrong(
        "In this head, 'not' gets 70 % of what it gathers from 'bad'.",
        "A row is the token that looks, a column the one that is looked at.",
    ),
    wrong(
        "70 % of the prediction rests on 'not'.", "It is one head of many, and a weight says nothing of what follows."
    ),
)

question(
    "06.b",
    "A head gives 0.8 of its weight to [CLS], and 0.2 of what it moves comes from there. Which are true?",
    right(
        "What it makes of [CLS] is a shorter vector than what it makes of the others.",
        "What is moved is the weight times that vector. Much weight and little movement leave only a short vector.",
    ),
    wrong("The head does nothing.", "Four fifths of what it moves come from other tokens."),
    wrong("One of the two numbers must be wrong.", "They measure different things: where it looks, and what it adds."),
    right(
        "A map of its weights alone would mislead.",
        "It shows a bright column where little happens.",
    ),
)

question(
    "06.c",
    "Which of these questions does an attention map leave open?",
    right("What the information was that went from token to token", "Weights say from where, not what."),
    wrong("Where a token may get information from in this head", "This is the one thing that it does show."),
    right("Whether a later layer made use of it", "The map of one head ends with that head."),
    right(
        "Whether the prediction would be another without it", "That takes an intervention, such as switching it off."
    ),
)

question(
    "07.a",
    "A head gives nearly all of its weight to the previous token. Switched off, it moves the accuracy by 0.001. "
    "What follows?",
    wrong("One of the two measurements must be wrong.", "What a head does and whether it is needed are two questions."),
    right(
        "A striking pattern need not matter to the prediction.", "A map describes; only switching off asks about need."
    ),
    wrong("The head does nothing.", "Others may do the same, and make up for it while it is missing."),
    right(
        "Switched off along with others, it may still matter.", "One by one, the heads of a redundant model look idle."
    ),
)

question(
    "07.b",
    "A third of the heads is switched off, the least needed first: accuracy 0.88. Of 99 random sets of the same size, "
    "one does as well. What is right?",
    right("p is 2 / 100.", "Your set counts as one of the draws: (1 + 1) / (1 + 99)."),
    wrong("p is 1 / 99, which rounds to 0.01.", "So p could be 0, as if these were all the random sets there are."),
    right(
        "Three random sets would not have been enough.",
        "With three, p cannot fall below 1 / 4, whatever the order is worth.",
    ),
    wrong(
        "The heads that are off do nothing.",
        "A small loss may go unseen, and other heads may make up for those that are gone.",
    ),
)

question(
    "07.c",
    "Method A reaches 0.30 [0.26, 0.34], method B 0.35 [0.31, 0.39], both on the same 200 reviews. What follows?",
    wrong("They do not differ, because the intervals overlap.", "Their paired difference may still exclude 0."),
    wrong("B is better, because 0.35 is more than 0.30.", "The difference needs an interval of its own."),
    right(
        "Nothing yet: look at the differences, review by review.",
        "What makes a review easy for both cancels out in the difference.",
    ),
    right(
        "If nine such pairs are tested, p needs a correction.",
        "One of nine may look decided by luck. Holm allows for that.",
    ),
)

question(
    "08.a",
    "After further training with negations, negated blame is right in 96 of 100 sentences instead of 5, and the "
    "accuracy on reviews falls by one point. The control arm without negations: 7 of 100, and a fall of 1.5 points. "
    "Which are true?",
    right(
        "The negations, and not the further training, repaired the fault.",
        "Only they differ between the arms, and only that arm was repaired.",
    ),
    wrong(
        "The negations cost one point.",
        "The arm without them fell by 1.5 points, so the loss may come from training further.",
    ),
    wrong(
        "The control arm was superfluous.",
        "Without it, the loss would have been put down to the negations.",
    ),
    right(
        "From these numbers alone, a difference of half a point between the arms is not decided.",
        "It needs a paired interval over seeds and reviews.",
    ),
)

question(
    "08.b",
    "Six differences are tested on 2,000 test reviews, with three seeds each. Which of these problems "
    "do 20,000 test reviews not solve?",
    right("The spread over seeds", "It is a second kind of luck; only more seeds make its interval narrower."),
    right(
        "That one test of six may succeed by luck",
        "More reviews do not lower that chance; a correction such as Holm's does.",
    ),
    wrong(
        "The luck of which reviews are in the test",
        "This is the one that they solve: that interval gets about a third as wide.",
    ),
)

question(
    "08.c",
    "Ten models differ in nothing but the seed; their accuracies have a standard deviation of 0.016. You report the "
    "best. What is true?",
    wrong("That is fair, as all ten were tested on the same reviews.", "It was still picked for its number on them."),
    right(
        "The number lies about 0.025 above what the method gives on average.",
        "The best of ten lies some one and a half standard deviations above the mean, with nothing done.",
    ),
    wrong(
        "That is fair, as one would use the best one anyway.",
        "Use it if you like; its number speaks for a lucky seed, and not for the method.",
    ),
    wrong("The best of a hundred would be closer to the truth.", "It lies higher still: more tries, more luck."),
)

question(
    "09.a",
    "A new encoder reports 0.95 on IMDB, your fine-tuned BERT has 0.93. What do you do before you switch?",
    right(
        "Fine-tune it with your own protocol and compare on the same test reviews, in pairs.",
        "Then only the model differs.",
    ),
    wrong("Switch: two points are two points.", "Length, epochs and choice on test may explain two points and more."),
    right("Ask whether two points are worth its size and speed.", "A larger model costs in every prediction."),
    wrong("Nothing: published numbers are always too good.", "Often they are, but not always. Measure it."),
)

question(
    "09.b",
    "Two sources report 0.924 and 0.945 for BERT-base with 512 tokens on the same 25,000 test reviews. What may "
    "explain it?",
    right("One keeps the first tokens, the other both ends.", "The end of a long review often holds the verdict."),
    right("They trained for different numbers of epochs, or chose the best one on test.", "Both move the number."),
    wrong("The luck of the test reviews.", "They are the same reviews, and on 25,000 the luck is about 0.3 points."),
    right("Their seeds.", "Seeds spread by some tenths of a point: a part of it, and hardly all."),
)

question(
    "09.c",
    "A large language model without training reaches 0.96 on IMDB's test split. Which would make you trust the number "
    "more?",
    wrong(
        "It continues no test review word by word.", "No match proves nothing: it may have read a page about the film."
    ),
    right("It does as well on reviews that were written after its training.", "These it cannot have read."),
    right("It does as well on your own labelled texts.", "They are not on the web, and they are what you care about."),
    wrong("Its makers say that test sets were removed.", "Reviews are quoted elsewhere, with their stars."),
)
