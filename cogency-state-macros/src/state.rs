//! The state parameter: the first one after `self`, which callers do not see.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, FnArg, GenericParam, Ident, Lifetime, Pat, PatType, Signature, Type, TypeReference,
    WherePredicate,
};

use crate::parameters::ungrouped;
use crate::problems::Problems;

pub(crate) struct State {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) pattern: Pat,
    /// `&mut T`, or what was written instead.
    pub(crate) reference: Type,
}

impl State {
    /// `T`
    pub(crate) fn ty(&self) -> &Type {
        match ungrouped(&self.reference) {
            Type::Reference(reference) => ungrouped(&reference.elem),
            other => other,
        }
    }

    /// The name that the body has for it.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match &self.pattern {
            Pat::Ident(binding) => Some(&binding.ident),
            _ => None,
        }
    }

    // Input: fn f(&self, state: &mut T, user_id: &str)
    // Output: fn f(&self, user_id: &str), and the state
    pub(crate) fn take(sig: &mut Signature, problems: &mut Problems) -> Option<Self> {
        let place = find(sig, problems)?;
        let parameter = remove(sig, place)?;
        check_pattern(&parameter.pat, problems);
        let reference = match ungrouped(&parameter.ty) {
            Type::Reference(reference) => {
                Type::Reference(without_lifetime(reference.clone(), sig, problems))
            }
            other => other.clone(),
        };
        let PatType { attrs, pat: pattern, .. } = parameter;
        Some(Self { attrs, pattern: *pattern, reference })
    }
}

/// Where the parameter is that is the state, or was to be.
fn find(sig: &Signature, problems: &mut Problems) -> Option<usize> {
    let mut parameters = sig.inputs.iter().enumerate().filter_map(|(place, input)| match input {
        FnArg::Typed(parameter) => Some((place, parameter)),
        FnArg::Receiver(_) => None,
    });
    let Some((first, parameter)) = parameters.next() else {
        let message = "with `persist`, the first parameter is the state: add `state: &mut T`";
        problems.at(&sig.ident, message);
        return None;
    };
    if is_mutable_reference(&parameter.ty) {
        return is_sized(&parameter.ty, problems).then_some(first);
    }
    if let Some((late, parameter)) = parameters.find(|(_, later)| is_mutable_reference(&later.ty)) {
        problems.at(parameter, "the state comes first: move it before the other parameters");
        return Some(late);
    }
    let message = "with `persist`, the first parameter is the state, taken as `&mut T`";
    problems.at(&parameter.ty, message);
    is_named_state(&parameter.pat).then_some(first)
}

fn is_mutable_reference(ty: &Type) -> bool {
    matches!(ungrouped(ty), Type::Reference(reference) if reference.mutability.is_some())
}

/// Whether this is a reference to a type that can be loaded.
fn is_sized(ty: &Type, problems: &mut Problems) -> bool {
    let Type::Reference(reference) = ungrouped(ty) else { return false };
    let message = match ungrouped(&reference.elem) {
        Type::ImplTrait(_) | Type::TraitObject(_) | Type::Slice(_) => {
            "the state is of a type that can be loaded by name: a struct, an enum, or a type \
             parameter"
        }
        Type::Path(ty) if ty.path.is_ident("str") => {
            "the state has a size, which `str` has not: use `String`"
        }
        _ => return true,
    };
    problems.at(&reference.elem, message);
    false
}

fn is_named_state(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(binding) if binding.ident == "state")
}

fn remove(sig: &mut Signature, place: usize) -> Option<PatType> {
    let inputs = std::mem::take(&mut sig.inputs);
    let mut removed = None;
    let keep = inputs.into_pairs().enumerate().filter_map(|(at, pair)| {
        if at != place {
            return Some(pair);
        }
        removed = Some(pair.into_value());
        None
    });
    sig.inputs = keep.collect();
    match removed? {
        FnArg::Typed(parameter) => Some(parameter),
        FnArg::Receiver(_) => None,
    }
}

fn check_pattern(pattern: &Pat, problems: &mut Problems) {
    let plain = match pattern {
        Pat::Ident(binding) => binding.by_ref.is_none() && binding.subpat.is_none(),
        Pat::Wild(_) => true,
        _ => false,
    };
    if !plain {
        problems.at(pattern, "give the state a name here, and take it apart in the body");
    }
}

/// The reference to the state as it can be written inside the body.
fn without_lifetime(
    mut reference: TypeReference,
    sig: &mut Signature,
    problems: &mut Problems,
) -> TypeReference {
    if let Some(borrow) = find_lifetime(&reference.elem, |lifetime| lifetime.ident != "static") {
        let message = "a state outlives the program: its type cannot borrow";
        problems.add(syn::Error::new(borrow, message));
        return reference;
    }
    if let Some(lifetime) = reference.lifetime.take()
        && !forget(&lifetime, sig)
    {
        let message = "the state is saved when the call ends, nothing can borrow it for longer: \
                       write `&mut T`, and return what is owned";
        problems.at(&lifetime, message);
        reference.lifetime = Some(lifetime);
    }
    reference
}

/// Takes a lifetime out of a signature, if only the state needed it.
fn forget(lifetime: &Lifetime, sig: &mut Signature) -> bool {
    let mut without = sig.clone();
    let generics = &mut without.generics;
    let declared = generics.params.len();
    retain(
        &mut generics.params,
        |parameter| !matches!(parameter, GenericParam::Lifetime(declared) if declared.lifetime == *lifetime),
    );
    if generics.params.len() == declared {
        return false;
    }
    if let Some(clause) = &mut generics.where_clause {
        retain(
            &mut clause.predicates,
            |predicate| !matches!(predicate, WherePredicate::Lifetime(bound) if bound.lifetime == *lifetime),
        );
    }
    let mut finder = Finder { is_wanted: |found: &Lifetime| found == lifetime, found: None };
    finder.visit_signature_mut(&mut without.clone());
    let forgotten = finder.found.is_none();
    if forgotten {
        *sig = without;
    }
    forgotten
}

fn retain<T, P: Default>(list: &mut Punctuated<T, P>, keep: impl Fn(&T) -> bool) {
    let all = std::mem::take(list);
    *list = all.into_iter().filter(keep).collect();
}

/// Where a type has a lifetime of this kind, written or elided.
fn find_lifetime(ty: &Type, is_wanted: impl FnMut(&Lifetime) -> bool) -> Option<Span> {
    let mut finder = Finder { is_wanted, found: None };
    finder.visit_type_mut(&mut ty.clone());
    finder.found
}

struct Finder<F> {
    is_wanted: F,
    found: Option<Span>,
}

impl<F: FnMut(&Lifetime) -> bool> VisitMut for Finder<F> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if (self.is_wanted)(lifetime) {
            self.found.get_or_insert(lifetime.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            let elided = Lifetime::new("'_", reference.and_token.span);
            if (self.is_wanted)(&elided) {
                self.found.get_or_insert(elided.span());
            }
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }
}
