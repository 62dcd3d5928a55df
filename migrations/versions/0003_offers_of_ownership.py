"""Offers of ownership."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ownership_offers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("offered_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_ownership_offers_team_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_ownership_offers_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["offered_by"], ["users.id"], name=op.f("fk_ownership_offers_offered_by"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ownership_offers")),
    )
    op.create_index("idx_ownership_offers_team_id", "ownership_offers", ["team_id"], unique=True)
    op.create_index("idx_ownership_offers_user_id", "ownership_offers", ["user_id"])
    op.create_index("idx_ownership_offers_offered_by", "ownership_offers", ["offered_by"])


def downgrade() -> None:
    op.drop_table("ownership_offers")
