"""A small model that has to know who asks, for tests."""

import dataclasses

from tfrec.layers.user_embedding import UserEmbedding
from tfrec.models.base.next_item import NextItem
from tfrec.models.configs.next_item import NextItemConfig


@dataclasses.dataclass(frozen=True)
class PersonalConfig(NextItemConfig):
    """Settings of Personal."""

    max_length: int = 8
    embedding_dim: int = 6


class Personal(NextItem):
    """Adds the vectors of the last item and of the user."""

    config_class = PersonalConfig
    needs_user = True

    def __init__(self, num_items, config=None, num_users=0):
        super().__init__(num_items, config, num_users)
        dim = self.config.embedding_dim
        self.make_embedding()
        self.users = UserEmbedding(num_users, dim)
        self.users.build((None,))
        self.make_head()
        self.item_logits.build((None, dim))
        self.built = True

    def states(self, query, training=False):
        items = self.embed(query.history, training)
        return items + self.users(query.user)[:, None]
