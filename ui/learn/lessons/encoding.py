"""Lessons about files: what zeros and frequent codes are worth in bytes."""

from ui.language import N_
from ui.learn.hiding import only
from ui.learn.lesson import Lesson, Step
from ui.learn.lessons.units import BITS, KB

ZEROS = Lesson(
    "zeros",
    N_("Zeros do not shrink a file"),
    N_("Nine weights of ten become zero. What does the file say?"),
    (
        Step(
            "prune",
            N_(
                "The file of this network has 153.7 KB. 90 % of its weights become zero. How big "
                "is the plain fp32 file then?"
            ),
            KB,
            "dense_kb",
            N_(
                "A zero is a float like any other. Only a file that knows about zeros is smaller: "
                "ours has {container}."
            ),
            goals=("prune:sparsity=0.9",),
            hides=only("prune", "prune_sparsity"),
        ),
        Step(
            "encode",
            N_("And if the plain file of the pruned network is zipped (gzip −9)?"),
            KB,
            "gzip_kb",
            N_(
                "gzip finds the runs of zero bytes. Our file, which stores where the zeros are and "
                "then only the others, has {container}."
            ),
            recipe="prune:sparsity=0.9",
            goals=("prune:sparsity=0.9",),
            hides=only("encode", "encode_layer"),
        ),
        Step(
            "quantize",
            N_("Now the weights that are left are rounded to 4 bits. How big is the file?"),
            KB,
            "file_kb",
            N_(
                "That is {ratio} smaller than the original: codes of few bits and {zeros} zeros "
                "help each other, because the most frequent code gets the shortest bits."
            ),
            recipe="prune:sparsity=0.9",
            goals=("prune:sparsity=0.9;quantize:bits=4",),
            hides=only("quantize", "quantize_bits"),
        ),
    ),
)

HUFFMAN = Lesson(
    "huffman",
    N_("Huffman's whole bit"),
    N_("A code of whole bits cannot be shorter than one."),
    (
        Step(
            "encode",
            N_("fc1 in codes of 4 bits: how many bits does Huffman need for one, on average?"),
            BITS,
            "huffman_bits",
            N_("Near the entropy of {entropy} bits: frequent codes get short words."),
            layer="fc1",
            recipe="quantize:bits=4",
            goals=("quantize:bits=4",),
            hides=only("encode", "encode_layer"),
        ),
        Step(
            "encode",
            N_("Now 99 % of the weights are zero. How many bits does Huffman need for one?"),
            BITS,
            "huffman_bits",
            N_(
                "The entropy is {entropy} bits, but even the most frequent symbol gets a whole "
                "bit. The file takes another coder instead ({taken}), with {taken_bits} bits."
            ),
            layer="fc1",
            recipe="quantize:bits=4",
            goals=("prune:sparsity=0.99;quantize:bits=4",),
            hides=only("encode", "encode_layer"),
        ),
    ),
)
