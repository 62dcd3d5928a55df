"""What accounts remember more: from where a session was ended, where a link went, when a device was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = {  # by what the cleaning and the end of an account look for
    "idx_sessions_expires_at": ("sessions", "expires_at"),
    "idx_access_tokens_expires_at": ("access_tokens", "expires_at"),
    "idx_mailed_tokens_expires_at": ("mailed_tokens", "expires_at"),
    "idx_devices_last_used_at": ("devices", "last_used_at"),
    "idx_invitations_invited_by": ("invitations", "invited_by"),
    "idx_invitations_accepted_by": ("invitations", "accepted_by"),
}


def upgrade() -> None:
    op.add_column("sessions", sa.Column("ended_ip", sa.String(length=45), nullable=True))
    op.add_column("sessions", sa.Column("ended_user_agent", sa.String(length=300), nullable=True))
    op.add_column("devices", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mailed_tokens", sa.Column("address", sa.String(length=254), nullable=True))
    with op.get_context().autocommit_block():
        for name, (table, column) in INDEXES.items():
            op.create_index(name, table, [column], if_not_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    op.drop_column("mailed_tokens", "address")
    op.drop_column("devices", "last_used_at")
    op.drop_column("sessions", "ended_user_agent")
    op.drop_column("sessions", "ended_ip")
