"""What the tests of teams share: the exact keys of what is answered."""

TEAM = {"id", "name", "description", "ownerId", "ownerName", "memberCount", "createdAt", "updatedAt"}
MEMBER = {"id", "userId", "name", "email", "role", "permissions", "status", "joinedDate", "lastActive"}
INVITATION = {
    *("id", "teamId", "teamName", "email", "role", "status", "invitedBy", "invitedByName", "message"),
    *("expiresAt", "createdAt"),
}
