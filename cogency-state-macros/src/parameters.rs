//! What the parameters of a function are: their names and kinds.

use syn::visit_mut::{self, VisitMut};
use syn::{FnArg, Ident, Pat, PatIdent, PatType, Receiver, ReceiverKind, Signature, Type};

/// The parameters besides `self`.
pub(crate) fn typed(sig: &Signature) -> impl Iterator<Item = &PatType> {
    sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => Some(parameter),
        FnArg::Receiver(_) => None,
    })
}

/// The names that a function's parameters bind.
pub(crate) fn names(sig: &Signature) -> Vec<Ident> {
    let mut names = Vec::new();
    for parameter in typed(sig) {
        let mut pattern = (*parameter.pat).clone();
        each_binding(&mut pattern, |binding| names.push(binding.ident.clone()));
    }
    names
}

/// Visits the names of a pattern, such as `a` and `b` in `(a, mut b)`.
pub(crate) fn each_binding(pattern: &mut Pat, visit: impl FnMut(&mut PatIdent)) {
    struct Bindings<F>(F);

    impl<F: FnMut(&mut PatIdent)> VisitMut for Bindings<F> {
        fn visit_pat_ident_mut(&mut self, binding: &mut PatIdent) {
            (self.0)(binding);
            visit_mut::visit_pat_ident_mut(self, binding);
        }
    }

    Bindings(visit).visit_pat_mut(pattern);
}

/// A type that came through a `macro_rules!` variable stands in an invisible group.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(parens) => &parens.elem,
            _ => return ty,
        };
    }
}

/// Whether this is `&T`.
pub(crate) fn is_shared_reference(ty: &Type) -> bool {
    matches!(ungrouped(ty), Type::Reference(reference) if reference.mutability.is_none())
}

/// Whether this is `&mut T`, or wraps one, as in `Pin<&mut T>`.
pub(crate) fn holds_mutable_reference(ty: &Type) -> bool {
    struct Finder(bool);

    impl VisitMut for Finder {
        fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
            self.0 |= reference.mutability.is_some();
            visit_mut::visit_type_reference_mut(self, reference);
        }

        // What a function takes is not held.
        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments_mut(
            &mut self,
            _: &mut syn::ParenthesizedGenericArguments,
        ) {
        }
    }

    let mut finder = Finder(false);
    finder.visit_type_mut(&mut ty.clone());
    finder.0
}

/// How a method has its `self`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SelfKind {
    /// `&self`
    Shared,
    /// `&mut self`
    Mutable,
    /// `self`
    Value,
    /// `self: Arc<Self>`
    Owner,
}

impl SelfKind {
    pub(crate) fn of(receiver: &Receiver) -> Self {
        match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => Self::Shared,
            ReceiverKind::Reference(_, _, Some(_)) => Self::Mutable,
            ReceiverKind::Typed(_, ty) if is_shared_reference(ty) => Self::Shared,
            ReceiverKind::Typed(_, ty) if holds_mutable_reference(ty) => Self::Mutable,
            ReceiverKind::Typed(_, ty) => match ungrouped(ty) {
                Type::Path(path) if path.path.is_ident("Self") => Self::Value,
                _ => Self::Owner,
            },
            _ => Self::Value,
        }
    }
}
