"""Tests that are shown the mutants which every oracle passes, by the file that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from photomend.core import sum as sum_
from photomend.layers import cross_entropy
from photomend.tests.core import (
    test_anomaly,
    test_changed_in_place,
    test_empty,
    test_rules,
    test_shared_memory,
    test_tape,
)
from photomend.tests.layers import (
    test_convolution,
    test_convolution_memory,
    test_kinks,
    test_layer_behaviour,
    test_locality,
    test_loss,
)
from photomend.tests.train import test_averaging
from photomend.tests.verification import test_half_precision, test_special_values
from photomend.tests.verification.cases_kinks import KINK_CASES
from photomend.tests.verification.registry import CASES

_ONE_TAP = partial(test_convolution_memory.test_one_tap_copies_nothing_that_is_channels_last, torch.channels_last)


def _special(name: str) -> Callable[[], None]:
    case = next(case for case in (*CASES.values(), *KINK_CASES) if case.name == name)
    return partial(test_special_values.test_what_torch_does, case, torch.float64)


def _locality(name: str) -> tuple[Callable[[], None], ...]:
    return (
        partial(test_locality.test_what_is_not_finite_reaches_what_sees_it, name, (0, 0), torch.nan, torch.float64),
        partial(test_locality.test_gradients_of_what_is_not_finite, name, (20, 17), torch.inf),
        partial(test_locality.test_nan_in_a_row_that_only_the_last_output_of_a_tile_sees, name),
    )


LAST_RESORTS: dict[str, tuple[Callable[[], None], ...]] = {
    "core/tape.py": (
        test_tape.test_second_backward_over_a_new_tape_adds,
        test_tape.test_used_tape_is_freed,
        test_tape.test_a_forgotten_leaf_needs_no_gradient,
        partial(test_tape.test_a_bad_pullback_is_named, lambda ȳ: ȳ[:1], ValueError, "gradient of shape"),
        test_tape.test_a_pullback_may_return_a_list,
        test_tape.test_a_sum_of_gradients_changes_none_of_them,
        test_tape.test_one_array_is_made_for_the_sum_of_many_gradients,
        test_changed_in_place.test_a_pullback_that_changes_what_an_earlier_one_reads,
        partial(test_shared_memory.test_a_pullback_that_changes_its_cotangent, lambda ȳ: ȳ.mul_(2)),
        partial(test_shared_memory.test_a_pullback_that_changes_its_cotangent, lambda ȳ: lambda: ȳ.mul_(2)),
        test_rules.test_retain_grad,
        test_anomaly.test_a_pullback_that_spoils_a_finite_cotangent_is_named,
        test_anomaly.test_nobody_looks_unless_asked,
        test_anomaly.test_a_cotangent_that_was_infinite_before_is_no_fault_of_the_pullback,
        test_averaging.test_each_leaf_is_reported_once_with_its_whole_gradient,
    ),
    "core/ops/masking.py": tuple(map(_special, ("relu", "clamp", "maximum/alike", "max_pool2d/plain"))),
    "core/ops/elementwise.py": (test_kinks.test_the_exponent_of_0, _special("clamp"), _special("power/0")),
    "core/ops/matmul.py": (
        partial(test_layer_behaviour.test_the_gradient_of_a_repeated_matrix_is_summed_in_float32, torch.float16),
    ),
    "layers/activation.py": (
        _special("relu"),
        partial(test_half_precision.test_an_error_is_no_larger_than_torchs, CASES["leaky_relu/steep"], torch.float16),
    ),
    "layers/activation_pieces.py": (_special("prelu/at 0"),),
    "layers/upsample.py": tuple(
        partial(test_locality.test_interpolation_spreads_what_is_not_finite_to_where_it_has_a_weight, values)
        for values in ((torch.nan,), (torch.inf,), (-torch.inf,), (torch.inf, -torch.inf))
    ),
    "core/ops/reductions.py": (partial(test_empty.test_reductions_of_a_single_number, sum_, torch.sum),),
    "layers/standardise.py": (
        test_layer_behaviour.test_norms_of_images_that_are_taken_block_by_block,
        partial(test_layer_behaviour.test_norms_in_half_precision_are_rounded_once, torch.bfloat16, True),
        partial(test_empty.test_norms_of_nothing, (2, 4, 0, 3)),
    ),
    "layers/convolution/blocks.py": (
        test_convolution.test_what_is_asked_for_beside_an_image_is_0,
        *(
            partial(test_convolution.test_blocks_hold_every_row_once_and_no_more_than_they_may, *sizes)
            for sizes in ((0, 4, 8), (1, 4, 0), (3, 1, 1), (3, 1, 3), (7, 4, 25), (7, 10, 3), (3, 10, 8))
        ),
    ),
    "layers/convolution/im2col.py": (_ONE_TAP,),
    "layers/convolution/problem.py": (_ONE_TAP,),
    "layers/convolution/winograd.py": _locality("winograd"),
    "layers/convolution/winograd_rows.py": (
        *_locality("winograd-rows"),
        test_convolution.test_kernels_of_three_rows_and_one_column_see_every_pixel,
        *(partial(test_convolution_memory.test_what_is_in_memory_reaches_no_result, block) for block in (1, 10**9)),
    ),
    "layers/cross_entropy.py": (partial(test_loss.test_nothing_counts, cross_entropy, F.cross_entropy, 0.0),),
    "layers/loss.py": (
        partial(test_loss.test_probabilities_of_0_and_1, "sum"),
        test_loss.test_the_gradient_of_a_target_at_an_infinite_logit,
    ),
    "layers/pooling.py": (
        _special("max_pool2d/plain"),
        _special("max_pool2d/padding"),
        test_kinks.test_max_pooling_of_nothing_but_minus_infinity,
        partial(test_kinks.test_max_pooling_of_minus_infinity_gives_nothing_to_the_padding, (5, 4), (2, 2), 1),
        partial(test_kinks.test_max_pooling_of_minus_infinity_gives_nothing_to_the_padding, (3, 2), (0, 1), 3),
        partial(test_kinks.test_max_pooling_under_a_window_of_many_pixels, (1, 33_000)),
        partial(test_kinks.test_max_pooling_under_a_window_of_many_pixels, (33_000, 1)),
    ),
}
