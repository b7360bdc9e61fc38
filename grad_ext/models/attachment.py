"""Reversed attribute branches on any torch module: the paper's "any network".

Raff and Sylvester, "Gradient Reversal Against Discrimination", section 2, add branches that predict
the protected attributes to the output of a network's trunk and reverse their gradient on its way
into the trunk. Here the trunk is any submodule that the user chooses: a forward hook stores its
output, and the branches run when their loss is computed. The user's module, its state and its
outputs are unchanged.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from grad_ext import checks
from grad_ext.constraints import DEFAULT_CONSTRAINT, constraint_named
from grad_ext.engine.reversal import reverse
from grad_ext.errors import InputError, unknown
from grad_ext.models.heads import (
    CONTINUOUS,
    branch_layers,
    known_values,
    mean_loss,
    outputs_of,
    own_head,
)
from grad_ext.models.hook import Hook, described, find_submodule, pooled
from grad_ext.outputs import Branch
from grad_ext.seeds import seed_from
from grad_ext.training.settings import LAMBDA


def attach(
    module: nn.Module,
    at: str | Callable[[Any], nn.Module] | None,
    protected: Mapping[str, int | str],
    *,
    lam: float | Mapping[str, float] = LAMBDA,
    hidden: Sequence[int] = (40, 40),
    pool: Callable[[Any], Tensor] | None = None,
    constraint: str = DEFAULT_CONSTRAINT,
    classes: int = 2,
    random_state: object = None,
) -> Attachment:
    """Put reversed attribute branches on the output of a submodule.

    Add ``attachment.loss(a)`` to your own loss and give ``attachment.parameters()`` to your
    optimiser; nothing else changes. The branches learn to predict the protected attributes, and
    the layers below the submodule's output learn to remove what the branches use.

    Parameters
    ----------
    module : torch.nn.Module
        Any network; neither it nor its output is changed. For the result of ``torch.compile`` the
        original module is used.
    at : str, None or callable
        Dotted name of the submodule whose output is the representation, such as
        ``'encoder.layer2'``; ``''`` or None is the module itself. A callable gets the module and
        returns the submodule.
    protected : mapping of str to int or 'continuous'
        For each protected attribute its number of groups (2: one logit and the logistic loss; more:
        a logit for each and cross entropy), or ``'continuous'`` (squared error; scale its values to
        about unit variance).
    lam : float or mapping of str to float, default 100.0
        λ, the weight of the attribute losses, one for all or one for each.
    hidden : sequence of int, default (40, 40)
        Units of the hidden layers of every branch, each batch-normalised and rectified. Empty: the
        branch is linear.
    pool : callable, optional
        Gets the submodule's raw output and returns the representation, of shape (N, H). By default
        outputs of shape (N, H) are used unchanged, sequences (N, T, H) are averaged over T, and
        feature maps (N, C, ...) of ranks 4 and 5 over space.
    constraint : str, default 'demographic_parity'
        The rows among which the branches predict the groups, a name in
        `grad_ext.constraints.CONSTRAINTS`: all rows (demographic_parity), the rows of each label,
        which have a head each (equalized_odds), or those of the label 1 (equal_opportunity). All but
        the first need the labels in `loss`.
    classes : int, default 2
        Number of labels, for a constraint that uses them.
    random_state : int, None, numpy.random.RandomState or numpy.random.Generator
        Seed of the branches' initial weights. torch's global generator is never touched.

    Returns
    -------
    Attachment
        The branches, as a torch module.

    Raises
    ------
    InputError
        If there is no such submodule, or another argument cannot be used.
    """
    return Attachment(
        module,
        at,
        protected,
        lam=lam,
        hidden=hidden,
        pool=pool,
        constraint=constraint,
        classes=classes,
        random_state=random_state,
    )


class Attachment(nn.Module):
    """Reversed attribute branches, a torch module of their own: the return value of `attach`.

    **Relevant forward passes.** The attachment has a mode, as every module has. In training mode
    it uses the latest pass of the user's module in training mode with gradients enabled;
    evaluations in between, in ``eval()`` or under ``no_grad``, are ignored. In evaluation mode
    (after ``attachment.eval()``) it uses the latest pass since then, whatever the mode of the
    user's module. If the submodule runs several times in a pass, the last time counts.

    **Sizes.** The first pass determines the sizes of the branches and moves them to the device of
    the representation. Before it the parameters are torch's `UninitializedParameter`, which an
    optimiser may already hold. `initialise` makes that first pass at once.

    A copy or a pickle of the user's module has no hook. A copy of an attachment holds the branches
    and is not attached: attach again and load its state.

    Parameters
    ----------
    module, at, protected, lam, hidden, pool, constraint, classes, random_state
        See `attach`.

    Attributes
    ----------
    protected : dict of str to int or 'continuous'
        Number of groups of each attribute.
    hidden : tuple of int
        Units of the hidden layers.
    constraint : str
        Name of the constraint.
    classes : int
        Number of labels.
    """

    def __init__(
        self,
        module: nn.Module,
        at: str | Callable[[Any], nn.Module] | None,
        protected: Mapping[str, int | str],
        *,
        lam: float | Mapping[str, float],
        hidden: Sequence[int],
        pool: Callable[[Any], Tensor] | None,
        constraint: str,
        classes: int,
        random_state: object,
    ) -> None:
        super().__init__()
        whole = module
        module, point = find_submodule(module, at)
        self.protected = _checked_protected(protected)
        self.hidden = checks.whole_numbers("hidden", hidden)
        self.constraint, self.classes = _checked_constraint(constraint, classes)
        self.lam = lam
        if pool is not None and not callable(pool):
            raise InputError(f"pool must be a callable or None, got {pool!r}")
        seed = seed_from(random_state)
        heads = constraint_named(self.constraint).heads(self.classes)
        self.branches = nn.ModuleDict(
            {
                _key(name): branch_layers(self.hidden, heads * outputs_of(groups), seed, name)
                for name, groups in self.protected.items()
            }
        )
        self._hook: Hook | None = Hook(self, module, point, pool or pooled)
        self._unhook = weakref.finalize(self, point.register_forward_hook(self._hook).remove)
        self._unhook.atexit = False
        if whole is not module:
            # torch ignores a hook that is registered after it has compiled the module.
            torch.compiler.reset()

    @property
    def lam(self) -> dict[str, float]:
        """λ of each attribute; set it to a number or a mapping, between two steps for a warmup."""
        return dict(self._lam)

    @lam.setter
    def lam(self, lam: float | Mapping[str, float]) -> None:
        if isinstance(lam, Mapping):
            _check_names("lam", lam, self.protected)
            self._lam = {name: checks.lam(lam[name]) for name in self.protected}
        else:
            self._lam = dict.fromkeys(self.protected, checks.lam(lam))

    def loss(self, a: Mapping[str, Tensor], y: Tensor | None = None) -> Tensor:
        """Return the sum of λ times each branch's loss, to be added to your own loss.

        Parameters
        ----------
        a : mapping of str to Tensor of shape (N,)
            The protected attributes of the rows of the latest relevant pass: codes 0, 1, ... of the
            groups, -1 where unknown; or numbers, NaN where unknown. A branch's mean loss excludes
            the rows whose value is unknown.
        y : Tensor of shape (N,), optional
            Labels 0, 1, ..., -1 where unknown, for a constraint that uses them.

        Returns
        -------
        Tensor of shape ()
            The loss; 0 if no value is known.

        Raises
        ------
        InputError
            If there was no relevant pass yet, the constraint lacks its labels, or names, lengths or
            values do not fit.
        """
        losses = self.losses(a, y)
        return torch.stack([self._lam[name] * loss for name, loss in losses.items()]).sum()

    # DistributedDataParallel and other wrappers act on calls of the wrapped module.
    forward = loss

    def losses(self, a: Mapping[str, Tensor], y: Tensor | None = None) -> dict[str, Tensor]:
        """Return each branch's loss without λ, for logging.

        Every call runs the branches, which updates their running statistics in training mode.

        Parameters
        ----------
        a, y
            As for `loss`.

        Returns
        -------
        dict of str to Tensor of shape ()
            Logistic loss or cross entropy in nats, or squared error.
        """
        h = self._reversed()
        _check_names("the protected attributes", a, self.protected)
        truth = {name: known_values(name, a[name], g, h) for name, g in self.protected.items()}
        counted, heads = self._strata(y, h)
        # Mixed precision ends here: half the digits are too few for a loss times a hundred.
        with torch.autocast(h.device.type, enabled=False):
            return {
                name: mean_loss(
                    own_head(self.branches[_key(name)](h), heads, outputs_of(groups)),
                    truth[name][0],
                    truth[name][1] & counted,
                    groups,
                )
                for name, groups in self.protected.items()
            }

    def _strata(self, y: Tensor | None, h: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return which rows the constraint compares, and the head of each if there are several."""
        constraint = constraint_named(self.constraint)
        if not constraint.uses_labels:
            return torch.ones(len(h), dtype=torch.bool, device=h.device), None
        if y is None:
            raise InputError(f"constraint {self.constraint!r} needs the rows' labels: loss(a, y)")
        labels, known = known_values("the labels", y, self.classes, h)
        strata = torch.from_numpy(constraint.table(self.classes)).to(h.device)[labels.long()]
        heads = strata.clamp_min(0) if constraint.heads(self.classes) > 1 else None
        return known & (strata >= 0), heads

    def initialise(self, *args: Any, **kwargs: Any) -> Self:
        """Set the sizes of the branches by a forward pass that changes nothing in the module.

        The pass is made in evaluation mode without gradients, so it updates no running statistics.

        Parameters
        ----------
        *args, **kwargs
            Inputs of the module; one row is enough.

        Returns
        -------
        Attachment
            Itself.
        """
        hook = self._alive()
        modes = {part: part.training for part in (*hook.module.modules(), *self.modules())}
        stored = hook.stored.copy()
        try:
            self.eval()
            hook.module.eval()
            hook.stored.clear()
            with torch.no_grad():
                hook.module(*args, **kwargs)
                h = self._reversed()
                for layers in self.branches.values():
                    layers(h)
        finally:
            hook.stored = stored
            for part, mode in modes.items():
                part.training = mode
        return self

    def detach(self) -> None:
        """Remove the hook from the module and release the stored representation."""
        self._unhook()
        if self._hook is not None:
            self._hook.stored.clear()
        self._hook = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_hook": None, "_unhook": _nothing}

    def _alive(self) -> Hook:
        if self._hook is None:
            raise InputError("this attachment is detached, or a copy; attach to the module again")
        return self._hook

    def _reversed(self) -> Tensor:
        """Return the representation (N, H) of the latest relevant pass, with its gradient reversed.

        It has the data type and device of the branches.
        """
        hook = self._alive()
        if self.training not in hook.stored:
            wanted = (
                "a forward pass of the module in training mode with gradients enabled (for an "
                "evaluation's passes call attachment.eval())"
                if self.training
                else "a forward pass of the module since attachment.eval()"
            )
            raise InputError(f"expected {wanted} through {hook.place}, got none yet")
        h = hook.stored[self.training]
        if any(is_lazy(parameter) for parameter in self.parameters()):
            self.to(h)
        if self.training and self.hidden and len(h) < 2:
            raise InputError(
                f"batch normalisation in training mode needs at least 2 rows, got {len(h)}: drop "
                "the last, smaller minibatch, or attach with hidden=()"
            )
        like = next(self.parameters())
        if like.device != h.device:
            raise InputError(
                f"the branches are on {like.device}, the output of {hook.place} is on {h.device}: "
                f"call attachment.to('{h.device}')"
            )
        return reverse(h).to(like.dtype)


def _nothing() -> None: ...


def _checked_protected(protected: object) -> dict[str, int | str]:
    if not isinstance(protected, Mapping) or not protected:
        raise InputError(
            "protected must map at least one attribute's name to its number of groups or "
            f"'continuous', got {protected!r}"
        )
    checked: dict[str, int | str] = {}
    for name, groups in protected.items():
        if not isinstance(name, str):
            raise InputError(f"protected: names must be strings, got {name!r}")
        if groups != CONTINUOUS and not checks.is_whole(groups, 2):
            raise InputError(
                f"{name}: expected the number of groups, at least 2, or 'continuous', got {groups!r}"
            )
        if _key(name) in map(_key, checked):
            raise InputError(f"protected: {name!r} and another name differ in dots only")
        checked[name] = CONTINUOUS if groups == CONTINUOUS else int(groups)
    return checked


def _checked_constraint(constraint: str, classes: int) -> tuple[str, int]:
    rule = constraint_named(constraint)
    classes = checks.whole("classes", classes, 2)
    rule.check(Branch.of_groups("target", classes))
    return constraint, classes


def _check_names(what: str, given: object, expected: Mapping[str, object]) -> None:
    if not isinstance(given, Mapping):
        raise InputError(f"{what}: expected a mapping by attribute name, got {described(given)}")
    for name in given:
        if name not in expected:
            raise unknown("protected attribute", name, expected)
    absent = [name for name in expected if name not in given]
    if absent:
        raise InputError(
            f"{what}: expected {', '.join(map(repr, expected))}, got no {', '.join(map(repr, absent))}"
        )


def _key(name: str) -> str:
    """Return an attribute's name as a submodule's, which has no dot and is not a method's name."""
    return f"attribute_{name.replace('.', '_')}"
