"""A sentence encoder together with what only its training needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from unmask.tasks.task import Model


class Siamese(Model):
    """A sentence encoder with the weights of its losses, which are not published."""

    def __init__(self, model: Model, losses: Sequence[nn.Module]) -> None:
        super().__init__(model.encoder, dict(model.heads.items()), model.decoder)
        self.losses = nn.ModuleList(losses)

    def published(self) -> Model:
        """The sentence encoder alone."""
        return Model(self.encoder, dict(self.heads.items()), self.decoder)

    def beside(self) -> dict[str, Tensor]:
        """The weights of the losses."""
        state = self.losses.state_dict(prefix="losses.")
        return {name: tensor.detach() for name, tensor in state.items()}

    def of_some_steps(self) -> list[nn.Parameter]:
        """The weights of the losses: a step is of one data set, and passes the others' by."""
        return list(self.losses.parameters())

    def restore(self, published: Mapping[str, Tensor], beside: Mapping[str, Tensor]) -> None:
        """Takes back what `published` and `beside` gave; without the latter losses stay."""
        self.load_state_dict({**self.beside(), **published, **beside})
