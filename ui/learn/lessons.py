"""The lessons and challenges. A new lesson is a new entry of `LESSONS`; its measured answers are
functions of `answers.py`, and `{placeholders}` of its sentences are their facts."""

from compress_core.search.presets import all_presets
from ui.learn.hiding import SIDEBAR, only
from ui.learn.lesson import Challenge, Choice, Lesson, Number, Step, Values

KB = Number("KB", 0, 2000)
PERCENT = Number("%", 0, 100)
POINTS = Number("points", -5, 100, 0.1)
BITS = Number("bits", 0, 32, 0.1)
TIMES = Number("times", 0, 100, 0.1)
DIGITS = Choice(tuple("0123456789"))
MNIST = "mnist-lenet-5"


def deep_compression() -> str:
    """The recipe that ships trained: prune, share, encode."""
    found = next(p for p in all_presets() if p.name == "LeNet-5, Deep Compression")
    return found.recipe


LESSONS = (
    Lesson(
        "zeros",
        "Zeros do not shrink a file",
        "Nine weights of ten become zero. What does the file say?",
        (
            Step(
                "prune",
                "The file of this network has 153.7 KB. 90 % of its weights become zero. How big "
                "is the plain fp32 file then?",
                KB,
                "dense_kb",
                "A zero is a float like any other. Only a file that knows about zeros is smaller: "
                "ours has {container}.",
                goals=("prune:sparsity=0.9",),
                hides=only("prune", "prune_sparsity"),
            ),
            Step(
                "encode",
                "And if the plain file of the pruned network is zipped (gzip −9)?",
                KB,
                "gzip_kb",
                "gzip finds the runs of zero bytes. Our file, which stores where the zeros are and "
                "then only the others, has {container}.",
                recipe="prune:sparsity=0.9",
                goals=("prune:sparsity=0.9",),
                hides=only("encode", "encode_layer"),
            ),
            Step(
                "quantize",
                "Now the weights that are left are rounded to 4 bits. How big is the file?",
                KB,
                "file_kb",
                "That is {ratio} smaller than the original: codes of few bits and {zeros} zeros "
                "help each other, because the most frequent code gets the shortest bits.",
                recipe="prune:sparsity=0.9",
                goals=("prune:sparsity=0.9;quantize:bits=4",),
                hides=only("quantize", "quantize_bits"),
            ),
        ),
    ),
    Lesson(
        "global",
        "One threshold, or one for each layer",
        "The same number of zeros, spread over the layers in two ways.",
        (
            Step(
                "prune",
                "90 % of all weights go. Which way keeps more right answers: the same share of "
                "each layer, or one threshold for the whole network?",
                Choice(("the same share of each layer", "one threshold for all")),
                "best_score",
                "Each layer alone: {score_1}. One threshold: {score_2}. The small first layers "
                "have few weights to spare, and one threshold leaves them theirs.",
                goals=("prune:sparsity=0.9,scope=layer", "prune:sparsity=0.9"),
                hides=only("prune", "prune_scope", "prune_sparsity"),
            ),
            Step(
                "prune",
                "With the same share of each layer, how many points are lost at 90 %? Look at the "
                "bars of the layers.",
                POINTS,
                "points_lost",
                "Down to {accuracy}, with {zeros} zeros as before: what matters is where the zeros "
                "are.",
                recipe="prune:sparsity=0.9",
                goals=("prune:sparsity=0.9,scope=layer",),
                hides=only("prune", "prune_scope", "prune_sparsity"),
            ),
        ),
    ),
    Lesson(
        "random",
        "Random is a control, not a method",
        "A method is worth what it wins over chance.",
        (
            Step(
                "prune",
                "Half of all weights, drawn at random, become zero. How many answers are right?",
                PERCENT,
                "accuracy_percent",
                "The original has {before}. A method that does no better than random has found out "
                "nothing about the weights.",
                goals=("random_prune:sparsity=0.5",),
                hides=only("prune", "prune_method", "prune_sparsity"),
            ),
            Step(
                "prune",
                "Now the smallest 80 % of the weights go instead. How many answers are right?",
                PERCENT,
                "accuracy_percent",
                "With {zeros} zeros: that is what magnitude knows. The distance to the random arm, "
                "not the accuracy alone, is the achievement.",
                recipe="random_prune:sparsity=0.5",
                goals=("prune:sparsity=0.8",),
                hides=only("prune", "prune_method", "prune_sparsity"),
            ),
            Step(
                "structured",
                "Dropout switches half of the neurons off at random in each training step. What if "
                "half of them stayed away: how many answers are right without it?",
                PERCENT,
                "accuracy_percent",
                "Dropout draws another half each time and gives all neurons back afterwards: it "
                "leaves a whole network, and no smaller file. Pruning removes for good ({size}), "
                "and has to choose well.",
                goals=("prune_structured:pruning_ratio=0.5,importance=random",),
                hides=only("structured", "structured_importance", "structured_ratio"),
            ),
        ),
    ),
    Lesson(
        "rounding",
        "Few bits: ranges and error feedback",
        "The same number of bits, four ways to use them.",
        (
            Step(
                "quantize",
                "4 bits, one scale for each whole tensor, from its smallest to its largest weight. "
                "How many points does this transformer lose?",
                POINTS,
                "points_lost",
                "A few large weights set the scale of the whole tensor, and most others fall on a "
                "handful of levels.",
                model="digits-transformer",
                goals=("quantize:bits=4,granularity=tensor",),
                hides=only("quantize", "quantize_bits", "quantize_granularity"),
            ),
            Step(
                "quantize",
                "Still 4 bits, but a scale for each output channel, and the range of least squared "
                "error. How many points are lost now?",
                POINTS,
                "points_lost",
                "Each channel uses all its levels, and the rare large weights are clipped where "
                "that costs least.",
                model="digits-transformer",
                recipe="quantize:bits=4,granularity=tensor",
                goals=("quantize:bits=4,clipping=mse",),
                hides=only(
                    "quantize", "quantize_bits", "quantize_granularity", "quantize_clipping"
                ),
            ),
            Step(
                "quantize",
                "3 bits. What keeps more right answers: one scale for each tensor, a scale for "
                "each channel, or error feedback (GPTQ)?",
                Choice(("one scale a tensor", "a scale a channel", "error feedback (GPTQ)")),
                "best_score",
                "One scale a tensor {score_1}, a scale a channel {score_2}, error feedback "
                "{score_3}: it passes the error of each weight on to those that are not rounded "
                "yet, so that the layer's outputs move less.",
                model="digits-transformer",
                recipe="quantize:bits=4,clipping=mse",
                goals=(
                    "quantize:bits=3,granularity=tensor",
                    "quantize:bits=3",
                    "quantize_gptq:bits=3",
                ),
                hides=only("quantize", "quantize_method", "quantize_bits", "quantize_granularity"),
            ),
        ),
    ),
    Lesson(
        "zero-point",
        "Zeros need a level of their own",
        "What a rounding formula does to the weights that were pruned.",
        (
            Step(
                "quantize",
                "Half of the weights are zero. They are rounded by round((w − min) / (max − min) · "
                "15), as many tutorials do. What share of the zeros is still zero afterwards?",
                PERCENT,
                "zeros_without_zero_point",
                "With this formula no level lies on zero, and every pruned weight becomes a small "
                "number again.",
                recipe="prune:sparsity=0.5",
                goals=("prune:sparsity=0.5",),
                hides=only("quantize", "quantize_layer"),
            ),
            Step(
                "quantize",
                "The same with a whole number as zero point, w ≈ scale · (q − zero_point): how "
                "many of all weights are zero?",
                PERCENT,
                "sparsity_percent",
                "Not fewer than before: a whole zero point puts a level exactly on zero, and small "
                "weights join it.",
                recipe="prune:sparsity=0.5",
                goals=("prune:sparsity=0.5;quantize:bits=4,scheme=asymmetric",),
                hides=only("quantize", "quantize_bits", "quantize_scheme"),
            ),
            Step(
                "quantize",
                "Another tutorial stores round(w · 255) in 8 bits. What share of the weights of "
                "fc1 does that cut off?",
                PERCENT,
                "cut_off",
                "The formula fits numbers from 0 to 1, pixels for example. About every second "
                "weight is negative.",
                layer="fc1",
                goals=("quantize:bits=8",),
                hides=only("quantize", "quantize_bits"),
            ),
        ),
    ),
    Lesson(
        "break-even",
        "The break-even rank",
        "Two thin layers in place of one are not always smaller.",
        (
            Step(
                "factorize",
                "fc1 has 64 × 512 weights. Up to which rank does a pair of thinner layers have no "
                "more weights than that?",
                Number("", 1, 64),
                "break_even",
                "r · ({rows} + {columns}) ≤ {rows} · {columns} holds up to rank {rank}. At rank "
                "{rank} the pair has {pair} weights of {dense}; one rank more, and it has {more}.",
                layer="fc1",
                goals=("factorize:rank=56,layers=fc1",),
                choices=(("factorize_layer", "fc1"),),
                hides=only("factorize", "factorize_rank"),
            ),
            Step(
                "factorize",
                "Rank 60 of 64 keeps nearly all of the energy. What is left of the MACs?",
                Number("%", 0, 200),
                "macs_percent",
                "{macs} in place of {original}: beyond the break-even rank two layers compute more "
                "than the one in whose place they stand.",
                recipe="factorize:rank=56,layers=fc1",
                goals=("factorize:rank=60,layers=fc1",),
                choices=(("factorize_layer", "fc1"),),
                hides=only("factorize", "factorize_rank"),
            ),
            Step(
                "factorize",
                "Now each layer keeps 90 % of its energy. How many points are lost?",
                POINTS,
                "points_lost",
                "The file has {size}. Energy is a sum over weights; the answers need not follow "
                "it.",
                recipe="factorize:rank=60,layers=fc1",
                goals=("factorize:energy=0.9",),
                choices=(("factorize_scope", "whole model"),),
                hides=only("factorize", "factorize_energy"),
            ),
        ),
    ),
    Lesson(
        "codebook",
        "A codebook by eye",
        "Four values for thousands of weights: choose them yourself.",
        (
            Step(
                "share_weights",
                "All weights of fc1 may have only four values. Look at the histogram and write "
                "down four, for example −0.2 −0.1 0.1 0.2.",
                Values(4),
                "codebook_by_eye",
                "Your codebook has {times} times the squared error of the best one. Large weights "
                "are rare, but their errors count squared.",
                layer="fc1",
                goals=("share:clusters=4",),
                choices=(("share_layer", "fc1"),),
                hides=only("share_weights", "share_layer"),
            ),
            Step(
                "share_weights",
                "Least squared error, or equally spaced values to start from: which codebooks of "
                "4 values keep more right answers?",
                Choice(("least squared error", "equally spaced to start from")),
                "best_score",
                "Least squared error {score_1}, equally spaced {score_2}: the squared error of the "
                "weights is a guess about the answers, and now and then a wrong one.",
                recipe="share:clusters=4",
                goals=("share:clusters=4", "share:clusters=4,init=linear"),
                hides=only("share_weights", "share_choice", "share_init"),
            ),
            Step(
                "share_weights",
                "A max-norm constraint scales the weights of a neuron down to a norm of at most "
                "0.5. How many different values has fc1, of 32,768 weights, under it?",
                Number("values", 0, 40000),
                "values_under_max_norm",
                "Nearly as many as weights: the constraint limits lengths, and makes no two of "
                "them equal. Sharing leaves {shared} values.",
                layer="fc1",
                goals=("share:clusters=16",),
                choices=(("share_layer", "fc1"),),
                hides=only("share_weights", "share_choice"),
            ),
        ),
    ),
    Lesson(
        "huffman",
        "Huffman's whole bit",
        "A code of whole bits cannot be shorter than one.",
        (
            Step(
                "encode",
                "fc1 in codes of 4 bits: how many bits does Huffman need for one, on average?",
                BITS,
                "huffman_bits",
                "Near the entropy of {entropy} bits: frequent codes get short words.",
                layer="fc1",
                recipe="quantize:bits=4",
                goals=("quantize:bits=4",),
                hides=only("encode", "encode_layer"),
            ),
            Step(
                "encode",
                "Now 99 % of the weights are zero. How many bits does Huffman need for one?",
                BITS,
                "huffman_bits",
                "The entropy is {entropy} bits, but even the most frequent symbol gets a whole "
                "bit. The file takes another coder instead ({taken}), with {taken_bits} bits.",
                layer="fc1",
                recipe="quantize:bits=4",
                goals=("prune:sparsity=0.99;quantize:bits=4",),
                hides=only("encode", "encode_layer"),
            ),
        ),
    ),
    Lesson(
        "macs",
        "Fewer MACs, the same time",
        "What is counted on paper, and what a clock says.",
        (
            Step(
                "prune",
                "80 % of the weights are zero. What is left of the multiply-accumulates?",
                PERCENT,
                "macs_percent",
                "{macs} as before: an ordinary kernel multiplies zeros like other numbers.",
                goals=("prune:sparsity=0.8",),
                hides=only("prune", "prune_sparsity"),
            ),
            Step(
                "trade_offs",
                "Factorized to 90 % of its energy, this network has less than half of its MACs. "
                "How many times faster does onnxruntime run it here?",
                TIMES,
                "speedup",
                "{why}",
                recipe="factorize:energy=0.9",
                goals=("factorize:energy=0.9",),
                hides=only("trade_offs"),
            ),
        ),
    ),
    Lesson(
        "hurt",
        "Who got hurt",
        "An average hides who pays for it.",
        (
            Step(
                "prune",
                "88 % of the weights go. Which digit loses most?",
                DIGITS,
                "most_hurt",
                "The {name}: from {before} to {after} right, while all together lose {lost} "
                "points. Scroll down to see whose answers flipped.",
                goals=("prune:sparsity=0.88",),
                hides=only("prune", "prune_sparsity"),
            ),
            Step(
                "quantize",
                "Rounded to 4 bits, this network loses almost nothing. How many of 600 images get "
                "another answer?",
                Number("images", 0, 600),
                "answers_changed",
                "The accuracy moves by {lost} points only: some become wrong, some right. An "
                "unchanged average is not an unchanged network.",
                model="digits-mlp",
                goals=("quantize:bits=4,granularity=tensor",),
                hides=only("quantize", "quantize_bits", "quantize_granularity"),
            ),
        ),
    ),
    Lesson(
        "deep-compression",
        "Deep Compression, from end to end",
        "Prune, retrain, share, encode: the pipeline of 2015 on LeNet-5.",
        (
            Step(
                "combine",
                "LeNet-5 is pruned to 5 % of its weights while it trains, they share few values, "
                "and all is coded. How much of 1,725 KB is left?",
                KB,
                "file_kb",
                "That is {ratio} smaller, with {zeros} zeros. Han et al. counted 44 KB in 2015, "
                "by bits and not by a file.",
                model=MNIST,
                goals=(deep_compression(),),
                hides=only("combine"),
            ),
            Step(
                "prune",
                "The same 95 % pruned without training afterwards: how many points would be lost?",
                POINTS,
                "points_lost",
                "Down to {accuracy}. Training after pruning is what makes the pipeline possible.",
                model=MNIST,
                goals=("prune:sparsity=0.95",),
                hides=only("prune", "prune_sparsity"),
            ),
            Step(
                "combine",
                "And the whole pipeline, with its training: how many points does it lose?",
                POINTS,
                "points_lost",
                "{accuracy} after {before}: of {n} images, {images} became wrong.",
                model=MNIST,
                recipe="prune:sparsity=0.95",
                goals=(deep_compression(),),
                hides=only("combine"),
            ),
        ),
    ),
    Lesson(
        "first-order",
        "Where the slope is flat",
        "Importance by gradient, on a network that has nothing left to learn.",
        (
            Step(
                "overview",
                "How many of its 1,197 training images does this network get wrong?",
                Number("images", 0, 1197),
                "wrong_in_training",
                "The loss is flat there, and a gradient near zero says little about what a weight "
                "is worth.",
                hides=SIDEBAR,
            ),
            Step(
                "prune",
                "90 % go: the smallest weights, or those with the least effect on the loss to "
                "first order, |w · ∂L/∂w| (Taylor). What keeps more right answers?",
                Choice(("the smallest", "least effect to first order")),
                "best_score",
                "Magnitude {score_1}, first order {score_2}: of the slope the second method sees "
                "mostly noise. Where a network still makes mistakes, it has more to go by.",
                goals=("prune:sparsity=0.9", "prune_taylor:sparsity=0.9"),
                hides=only("prune", "prune_method", "prune_sparsity"),
            ),
            Step(
                "structured",
                "30 % of the channels are removed by first-order importance. How many points are "
                "lost?",
                POINTS,
                "points_lost",
                "By the plain L2 norm of the channels the loss is smaller: choose l2 and look at "
                "the line above.",
                goals=("prune_structured:pruning_ratio=0.3,importance=taylor",),
                hides=only("structured", "structured_importance", "structured_ratio"),
            ),
        ),
    ),
)

CHALLENGES = (
    Challenge(
        "under-20-kb",
        "Under 20 KB",
        "Make the file smaller than 20 KB and lose at most 0.5 points.",
        "quantize",
        most_points=0.5,
        most_bytes=20_000,
    ),
    Challenge(
        "half-the-macs",
        "Half of the work",
        "Leave at most half of the multiply-accumulates and lose at most 1 point.",
        "structured",
        most_points=1.0,
        most_macs=0.5,
    ),
    Challenge(
        "under-5-kb",
        "Under 5 KB",
        "Make the file smaller than 5 KB and lose at most 0.5 points. Two methods together help.",
        "prune",
        most_points=0.5,
        most_bytes=5_000,
    ),
)

BY_NAME: dict[str, Lesson | Challenge] = {item.name: item for item in (*LESSONS, *CHALLENGES)}
assert len(BY_NAME) == len(LESSONS) + len(CHALLENGES), "two lessons have the same name"
