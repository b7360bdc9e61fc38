"""AIF360's AdversarialDebiasing (TensorFlow) as a method."""

from __future__ import annotations

from grad_ext.adapters.aif360.isolated import IsolatedMethod


def adversarial_debiasing(
    epochs: int = 50,
    batch_size: int = 128,
    hidden: int = 200,
    timeout: float | None = None,
) -> IsolatedMethod:
    """Return AdversarialDebiasing (Zhang et al. 2018, "Mitigating Unwanted Biases").

    A trial's λ is its adversary_loss_weight. It runs in a child process, so that TensorFlow is not
    imported into the caller's. It takes one attribute of two groups: rows that are privileged in
    every attribute are one, all others the other. It takes no instance weights. It drops the last,
    incomplete minibatch of an epoch, so fewer rows than one minibatch are an error.

    Parameters
    ----------
    epochs : int, default 50
        Passes over the training rows.
    batch_size : int, default 128
        Rows of a minibatch.
    hidden : int, default 200
        Units of the classifier's hidden layer.
    timeout : float, optional
        Seconds that each fit may take, and each scoring, before the process is ended.
    """
    return IsolatedMethod(
        algorithm="adversarial",
        settings={
            "num_epochs": epochs,
            "batch_size": batch_size,
            "classifier_num_hidden_units": hidden,
        },
        hyperparameter="adversary_loss_weight",
        epochs=epochs,
        packages={"aif360": "aif360", "tensorflow": "tensorflow"},
        timeout=timeout,
        least_rows=batch_size,
    )
