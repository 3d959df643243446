"""What PostgreSQL's own grammar (through pglast) says of a statement, in the terms of event.md's `operation`.

Only verbs and tables: what follows is the meaning of the fields, written down a second time, from the server's parse
tree instead of from tokens."""

from pglast import ast, enums

T, K = enums.ObjectType, enums.TransactionStmtKind
TABLES = {T.OBJECT_TABLE, T.OBJECT_VIEW, T.OBJECT_MATVIEW, T.OBJECT_FOREIGN_TABLE}
ATTACHED = {T.OBJECT_TRIGGER, T.OBJECT_RULE, T.OBJECT_POLICY, T.OBJECT_TABCONSTRAINT}

TRANSACTIONS = {
    K.TRANS_STMT_BEGIN: "BEGIN", K.TRANS_STMT_START: "BEGIN", K.TRANS_STMT_COMMIT: "COMMIT",
    K.TRANS_STMT_ROLLBACK: "ROLLBACK", K.TRANS_STMT_SAVEPOINT: "SAVEPOINT", K.TRANS_STMT_RELEASE: "RELEASE",
    K.TRANS_STMT_ROLLBACK_TO: "ROLLBACK", K.TRANS_STMT_PREPARE: "PREPARE_TRANSACTION",
    K.TRANS_STMT_COMMIT_PREPARED: "COMMIT_PREPARED", K.TRANS_STMT_ROLLBACK_PREPARED: "ROLLBACK_PREPARED",
}  # fmt: skip
VERBS = {
    "SelectStmt": "SELECT", "InsertStmt": "INSERT", "UpdateStmt": "UPDATE", "DeleteStmt": "DELETE", "MergeStmt": "MERGE",
    "CopyStmt": "COPY", "CallStmt": "CALL", "DoStmt": "DO", "ExecuteStmt": "EXECUTE", "PrepareStmt": "PREPARE",
    "DeallocateStmt": "DEALLOCATE", "DeclareCursorStmt": "DECLARE", "ClosePortalStmt": "CLOSE", "LockStmt": "LOCK",
    "ExplainStmt": "EXPLAIN", "ClusterStmt": "CLUSTER", "ReindexStmt": "REINDEX", "CheckPointStmt": "CHECKPOINT",
    "DiscardStmt": "DISCARD", "ListenStmt": "LISTEN", "NotifyStmt": "NOTIFY", "UnlistenStmt": "UNLISTEN", "LoadStmt": "LOAD",
    "TruncateStmt": "TRUNCATE", "CommentStmt": "COMMENT", "SecLabelStmt": "SECURITY_LABEL", "RefreshMatViewStmt": "REFRESH",
    "ReassignOwnedStmt": "REASSIGN", "ImportForeignSchemaStmt": "IMPORT", "VariableShowStmt": "SHOW",
    "ConstraintsSetStmt": "SET", "CreateTableAsStmt": "CREATE", "ViewStmt": "CREATE", "RuleStmt": "CREATE",
    "IndexStmt": "CREATE", "DefineStmt": "CREATE", "CompositeTypeStmt": "CREATE", "RenameStmt": "ALTER",
}  # fmt: skip


def verb(node):
    """`operation.type`."""
    name = type(node).__name__
    if name == "TransactionStmt":
        return TRANSACTIONS[node.kind]
    if name == "VariableSetStmt":
        kinds = enums.VariableSetKind
        return "RESET" if node.kind in (kinds.VAR_RESET, kinds.VAR_RESET_ALL) else "SET"
    if name == "VacuumStmt":
        return "VACUUM" if node.is_vacuumcmd else "ANALYZE"
    if name == "FetchStmt":
        return "MOVE" if node.ismove else "FETCH"
    if name in ("GrantStmt", "GrantRoleStmt"):
        return "GRANT" if node.is_grant else "REVOKE"
    if name == "SelectStmt":
        return writing(node) or "SELECT"
    if name in VERBS:
        return VERBS[name]
    for begin in ("Create", "Alter", "Drop"):
        if name.startswith(begin):
            return begin.upper()
    raise ValueError(name)


OTHER_NAMES = {T.OBJECT_MATVIEW: "MATERIALIZED VIEW", T.OBJECT_FDW: "FOREIGN DATA WRAPPER", T.OBJECT_FOREIGN_SERVER: "SERVER",
    T.OBJECT_LARGEOBJECT: "LARGE OBJECT", T.OBJECT_OPCLASS: "OPERATOR CLASS", T.OBJECT_OPFAMILY: "OPERATOR FAMILY",
    T.OBJECT_STATISTIC_EXT: "STATISTICS", T.OBJECT_TABCONSTRAINT: "CONSTRAINT", T.OBJECT_DOMCONSTRAINT: "CONSTRAINT",
    T.OBJECT_TSCONFIGURATION: "TEXT SEARCH CONFIGURATION", T.OBJECT_TSDICTIONARY: "TEXT SEARCH DICTIONARY",
    T.OBJECT_TSPARSER: "TEXT SEARCH PARSER", T.OBJECT_TSTEMPLATE: "TEXT SEARCH TEMPLATE", T.OBJECT_PARAMETER_ACL: "PARAMETER",
}  # fmt: skip
OF_NODES = {
    "ViewStmt": "VIEW", "IndexStmt": "INDEX", "CompositeTypeStmt": "TYPE", "RuleStmt": "RULE", "TruncateStmt": "TABLE",
    "RefreshMatViewStmt": "MATERIALIZED VIEW", "ImportForeignSchemaStmt": "FOREIGN SCHEMA", "CreateStmt": "TABLE",
    "CreateForeignTableStmt": "FOREIGN TABLE", "CreateSeqStmt": "SEQUENCE", "AlterSeqStmt": "SEQUENCE",
    "CreateSchemaStmt": "SCHEMA", "CreateTrigStmt": "TRIGGER", "CreateEventTrigStmt": "EVENT TRIGGER",
    "AlterEventTrigStmt": "EVENT TRIGGER", "CreatePolicyStmt": "POLICY", "AlterPolicyStmt": "POLICY",
    "CreateExtensionStmt": "EXTENSION", "AlterExtensionStmt": "EXTENSION", "AlterExtensionContentsStmt": "EXTENSION",
    "CreateFdwStmt": "FOREIGN DATA WRAPPER", "AlterFdwStmt": "FOREIGN DATA WRAPPER", "CreateForeignServerStmt": "SERVER",
    "AlterForeignServerStmt": "SERVER", "CreateUserMappingStmt": "USER MAPPING", "AlterUserMappingStmt": "USER MAPPING",
    "DropUserMappingStmt": "USER MAPPING", "CreateAmStmt": "ACCESS METHOD", "CreateCastStmt": "CAST",
    "CreateConversionStmt": "CONVERSION", "CreateDomainStmt": "DOMAIN", "AlterDomainStmt": "DOMAIN",
    "CreateEnumStmt": "TYPE", "AlterEnumStmt": "TYPE", "CreateRangeStmt": "TYPE", "AlterTypeStmt": "TYPE",
    "CreateOpClassStmt": "OPERATOR CLASS", "CreateOpFamilyStmt": "OPERATOR FAMILY", "AlterOpFamilyStmt": "OPERATOR FAMILY",
    "AlterOperatorStmt": "OPERATOR", "CreatePLangStmt": "LANGUAGE", "CreatePublicationStmt": "PUBLICATION",
    "AlterPublicationStmt": "PUBLICATION", "CreateSubscriptionStmt": "SUBSCRIPTION", "AlterSubscriptionStmt": "SUBSCRIPTION",
    "DropSubscriptionStmt": "SUBSCRIPTION", "CreateStatsStmt": "STATISTICS", "AlterStatsStmt": "STATISTICS",
    "CreateTableSpaceStmt": "TABLESPACE", "DropTableSpaceStmt": "TABLESPACE", "AlterTableSpaceOptionsStmt": "TABLESPACE",
    "CreateTransformStmt": "TRANSFORM", "CreatedbStmt": "DATABASE", "AlterDatabaseStmt": "DATABASE",
    "AlterDatabaseSetStmt": "DATABASE", "AlterDatabaseRefreshCollStmt": "DATABASE", "DropdbStmt": "DATABASE",
    "AlterCollationStmt": "COLLATION", "AlterTSDictionaryStmt": "TEXT SEARCH DICTIONARY",
    "AlterTSConfigurationStmt": "TEXT SEARCH CONFIGURATION", "AlterDefaultPrivilegesStmt": "DEFAULT PRIVILEGES",
    "AlterSystemStmt": "SYSTEM", "GrantRoleStmt": "ROLE", "AlterTableMoveAllStmt": None, "DropOwnedStmt": "OWNED",
    "ReassignOwnedStmt": "OWNED",
}  # fmt: skip
ROLES = ("CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt")


def objects(node):
    """What `operation.object` may be: USER and GROUP are ways to write ROLE, and the tree does not keep all of them."""
    name = type(node).__name__
    kind = None
    if name in ROLES:
        return {"ROLE", "USER", "GROUP"}
    if name in OF_NODES and OF_NODES[name]:
        return {OF_NODES[name]}
    if name == "CreateFunctionStmt":
        return {"PROCEDURE" if node.is_procedure else "FUNCTION"}
    if name == "ReindexStmt":
        return {node.kind.name.removeprefix("REINDEX_OBJECT_")}
    if name == "CreateTableAsStmt":
        kind = node.objtype
    elif name == "RenameStmt":
        parts = {T.OBJECT_COLUMN: node.relationType, T.OBJECT_ATTRIBUTE: T.OBJECT_TYPE, T.OBJECT_DOMCONSTRAINT: T.OBJECT_DOMAIN}
        kind = parts.get(node.renameType, node.renameType)
        if kind == T.OBJECT_TABCONSTRAINT:
            return {"TABLE", "FOREIGN TABLE"}
    else:
        for field in ("objtype", "objectType", "removeType", "kind"):
            if isinstance(getattr(node, field, None), T):
                kind = getattr(node, field)
    if kind is None:
        return {None}
    plain = kind.name.removeprefix("OBJECT_").replace("_", " ")
    return {"ROLE", "USER", "GROUP"} if plain == "ROLE" else {OTHER_NAMES.get(kind, plain)}


def writing(select):
    """The verb of the first part of its WITH that writes."""
    for cte in select.withClause.ctes if select.withClause else ():
        inner = verb(cte.ctequery)
        if inner != "SELECT":
            return inner
    return writing(select.larg) if select.larg else None


def tables(node):
    """{name: mode} of `operation.access`, names folded."""
    walk = Walk()
    idle = isinstance(node, ast.PrepareStmt) or isinstance(node, ast.ExplainStmt) and not runs(node)
    walk.visit(node)
    found = {}
    for name, mode in walk.found:
        mode = "read" if idle else mode
        found[name] = mode if found.get(name, mode) == mode else "both"
    return found


def runs(explain):
    """Whether EXPLAIN runs what it explains."""
    value = False
    for option in explain.options or ():
        if option.defname == "analyze":
            arg = option.arg
            text = "true" if arg is None else str(getattr(arg, "sval", getattr(arg, "ival", getattr(arg, "boolval", ""))))
            value = text.lower() not in ("false", "off", "0")
    return value


class Walk:
    """Over a tree, with the names of common table expressions in sight."""

    def __init__(self):
        self.found = []
        self.sight = []

    def note(self, name, mode):
        if isinstance(name, ast.RangeVar):
            parts = [name.catalogname, name.schemaname, name.relname]
        else:
            parts = [part.sval for part in name]
        self.found.append((".".join(part.lower() for part in parts if part), mode))

    def visit(self, node):
        if isinstance(node, (tuple, list)):
            for item in node:
                self.visit(item)
        elif isinstance(node, ast.Node):
            special = getattr(self, type(node).__name__, None)
            (special or self.fields)(node)

    def fields(self, node, but=()):
        for field in node.__slots__:
            if field not in but:
                self.visit(getattr(node, field))

    # Queries

    def RangeVar(self, node):
        if node.schemaname or node.relname not in self.sight:
            self.note(node, "read")

    def LockingClause(self, node):
        pass  # `FOR UPDATE OF alias`

    def IntoClause(self, node):
        self.note(node.rel, "write")

    def query(self, node, target=None, mode="write"):
        depth = len(self.sight)
        if node.withClause:
            names = [cte.ctename for cte in node.withClause.ctes]
            if node.withClause.recursive:
                self.sight += names
            for cte in node.withClause.ctes:
                self.visit(cte)
                self.sight.append(cte.ctename)
        if target:
            self.note(target, mode)
        self.fields(node, ("withClause", "relation") if target else ("withClause",))
        del self.sight[depth:]

    SelectStmt = query

    def written(self, node):
        self.query(node, node.relation)

    InsertStmt = UpdateStmt = DeleteStmt = MergeStmt = written

    # Definitions

    def target(self, node):
        self.note(node.relation, "write")
        self.fields(node, ("relation", "constrrel", "inhRelations"))
        self.visit(getattr(node, "constrrel", None))
        self.visit(getattr(node, "inhRelations", None))

    CreateStmt = IndexStmt = CreateTrigStmt = RuleStmt = RefreshMatViewStmt = target

    def CreateForeignTableStmt(self, node):
        self.visit(node.base)

    def ViewStmt(self, node):
        self.note(node.view, "write")
        # `CREATE RECURSIVE VIEW` reads its own name as a common table expression: pglast shows it as one already.
        self.visit(node.query)

    def CreatePolicyStmt(self, node):
        self.note(node.table, "write")
        self.fields(node, ("table",))

    AlterPolicyStmt = CreatePolicyStmt

    def AlterTableStmt(self, node):
        if node.objtype in TABLES:
            self.note(node.relation, "write")
            self.visit(node.cmds)

    def PartitionCmd(self, node):
        self.note(node.name, "write")

    def RenameStmt(self, node):
        kind = node.relationType if node.renameType == T.OBJECT_COLUMN else node.renameType
        if kind in TABLES | ATTACHED:
            self.note(node.relation, "write")
        if node.renameType in TABLES:
            self.found.append((node.newname.lower(), "write"))

    def AlterObjectSchemaStmt(self, node):
        if node.objectType in TABLES:
            self.note(node.relation, "write")

    def AlterObjectDependsStmt(self, node):
        if node.objectType in TABLES | ATTACHED:
            self.note(node.relation, "write")

    def DropStmt(self, node):
        for name in node.objects:
            if node.removeType in TABLES:
                self.note(name, "write")
            elif node.removeType in ATTACHED:
                self.note(name[:-1], "write")

    def CommentStmt(self, node):
        if node.objtype in TABLES:
            self.note(node.object, "write")
        elif node.objtype in ATTACHED or node.objtype == T.OBJECT_COLUMN:
            self.note(node.object[:-1], "write")

    SecLabelStmt = CommentStmt

    def AlterExtensionContentsStmt(self, node):
        if node.objtype in TABLES:
            self.note(node.object, "write")

    def sequence(self, node):
        self.visit(node.options)

    CreateSeqStmt = AlterSeqStmt = sequence

    def DefElem(self, node):
        if node.defname == "owned_by" and len(node.arg) > 1:
            self.note(node.arg[:-1], "read")
        elif node.defname != "owned_by":
            self.visit(node.arg)

    def GrantStmt(self, node):
        listed = node.targtype == enums.GrantTargetType.ACL_TARGET_OBJECT
        if node.objtype == T.OBJECT_TABLE and listed:
            for table in node.objects:
                self.note(table, "write")

    def ImportForeignSchemaStmt(self, node):
        limited = node.list_type == enums.ImportForeignSchemaType.FDW_IMPORT_SCHEMA_LIMIT_TO
        for table in node.table_list or ():
            self.note(table, "write" if limited else "read")

    def nothing(self, node):
        pass

    CompositeTypeStmt = TypeName = ConstraintsSetStmt = nothing

    # Utilities

    def CopyStmt(self, node):
        if node.relation:
            self.note(node.relation, "write" if node.is_from else "read")
        self.fields(node, ("relation",))

    def TruncateStmt(self, node):
        for table in node.relations:
            self.note(table, "write")

    def VacuumStmt(self, node):
        for table in node.rels or ():
            self.note(table.relation, "write" if node.is_vacuumcmd else "read")

    def ClusterStmt(self, node):
        if node.relation:
            self.note(node.relation, "write")

    def ReindexStmt(self, node):
        if node.kind == enums.ReindexObjectType.REINDEX_OBJECT_TABLE:
            self.note(node.relation, "write")
