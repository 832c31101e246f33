// Runs once, when MongoDB starts on an empty volume: the portal's user, who may read and
// write the services' databases and nothing else.
const databases = ["catalog", "scaffolder", "techdocs", "search", "gateway"];

db.getSiblingDB("admin").createUser({
  user: process.env.CALLBOARD_MONGODB_USER,
  pwd: process.env.CALLBOARD_MONGODB_PASSWORD,
  roles: databases.map((name) => ({ role: "readWrite", db: `callboard_${name}` })),
});
